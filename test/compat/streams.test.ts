import { Duplex, finished, PassThrough, pipeline, Readable } from 'node:stream';
import { pipeline as pipelined } from 'node:stream/promises';
import { describe } from 'vitest';
import { both, connected, show, until } from './both.js';

describe('sockets as streams', () => {
  both('pipeline through a socket', async (net, log) => {
    const { client, peer } = await connected(net);
    pipeline(peer, new PassThrough(), peer, (error) => log.note(`echoed ${error}`));
    const parts: Buffer[] = [];
    const collected = pipelined(client, async (source) => {
      for await (const part of source) parts.push(part);
    });
    await pipelined(Readable.from([Buffer.alloc(100_000, 1), Buffer.from('end')]), client, {
      end: true,
    });
    await collected;
    log.note(`${Buffer.concat(parts).length}`);
    if (!client.closed) await until(client, 'close');
  });

  both('pipeline with a source that fails', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    const source = new Readable({
      read() {
        this.destroy(new Error('source'));
      },
    });
    log.watch('client', client, 'close error finish');
    const closed = until(client, 'close');
    await pipelined(source, client).catch((error) => log.note(`${error}`));
    await closed;
  });

  both('finished', async (net, log) => {
    const { client, peer } = await connected(net);
    finished(client, (error) => log.note(`client ${error}`));
    peer.end('x');
    client.resume();
    await until(client, 'close');
  });

  both('finished, with a premature close', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    finished(client, (error) => log.note(`client ${show(error)}`));
    client.destroy();
    await until(client, 'close');
  });

  both('web streams', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.pipe(peer);
    const { readable, writable } = Duplex.toWeb(client);
    const writer = writable.getWriter();
    await writer.write(Buffer.from('through the web'));
    const { value } = await readable.getReader().read();
    log.note(Buffer.from(value).toString());
    await writer.close();
    client.destroy();
    if (!client.closed) await until(client, 'close');
  });

  both('unshift and read of some bytes', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.end('0123456789');
    await until(client, 'readable');
    const head = client.read(4) as Buffer;
    log.note(`${head}`);
    client.unshift(head.subarray(2));
    let rest = '';
    for await (const part of client) rest += part;
    log.note(rest);
  });

  both('pause in data, resume later', async (net, log) => {
    const { client, peer } = await connected(net);
    let received = 0;
    let pauses = 0;
    client.on('data', (part) => {
      received += part.length;
      if (pauses++ < 20) {
        client.pause();
        setImmediate(() => client.resume());
      }
    });
    peer.end(Buffer.alloc(2_000_000));
    await until(client, 'close');
    log.note(`${received}`);
  });

  both('removing the data listener, and adding it again', async (net, log) => {
    const { client, peer } = await connected(net);
    let received = 0;
    const count = (part: Buffer) => {
      received += part.length;
    };
    client.on('data', count);
    peer.write(Buffer.alloc(10));
    await until(client, 'data');
    client.pause();
    client.off('data', count);
    peer.end(Buffer.alloc(300_000));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    client.on('data', count);
    client.resume();
    await until(client, 'close');
    log.note(`${received}`);
  });
});
