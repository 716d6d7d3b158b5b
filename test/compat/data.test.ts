import { createHash } from 'node:crypto';
import { describe } from 'vitest';
import type { Net } from './both.js';
import { both, connected, until } from './both.js';

const SOCKET = 'data end finish close error drain pause resume';
const MEGABYTE = 1024 * 1024;

function connectedHalfOpen(net: Net) {
  return connected(net, { allowHalfOpen: true }, { allowHalfOpen: true });
}

describe('data', () => {
  both('the client ends, and the server with it', async (net, log) => {
    const { client, peer } = await connected(net);
    log.watch('peer', peer, SOCKET);
    client.end('bye');
    client.resume();
    await until(peer, 'close');
    log.note(`${peer.bytesRead} ${peer.bytesWritten} ${client.bytesWritten}`);
  });

  both('half-open: the server answers after the end', async (net, log) => {
    const { client, peer } = await connectedHalfOpen(net);
    log.watch('client', client, SOCKET);
    client.end('question');
    peer.resume();
    await until(peer, 'end');
    log.note(`${peer.readyState} ${client.readyState}`);
    peer.end('answer');
    await until(client, 'close');
  });

  both('half-open: the client goes on after the end of the server', async (net, log) => {
    const { client, peer } = await connectedHalfOpen(net);
    log.watch('peer', peer, SOCKET);
    peer.end('first');
    client.resume();
    await until(client, 'end');
    log.note(client.readyState);
    client.write('more');
    client.end('last');
    await until(peer, 'close');
    log.note(`${peer.bytesRead}`);
  });

  both('a write after the end of the peer', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.end();
    client.resume();
    client.on('end', () => {
      client.write('late', (error) => log.note(`write ${(error as NodeJS.ErrnoException)?.code}`));
    });
    log.watch('client', client, SOCKET);
    await until(client, 'close');
  });

  both('a write after both have ended', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.end();
    client.end();
    client.resume();
    peer.resume();
    client.on('end', () => {
      const taken = client.write('late', (error) => log.note(`write ${error?.message}`));
      log.note(`${taken}`);
    });
    log.watch('client', client, 'error close');
    await until(client, 'close');
  });

  both('a write after end', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.on('error', () => {});
    peer.resume();
    log.watch('client', client, SOCKET);
    client.end('x');
    client.write('y', (error) => log.note(`write ${(error as NodeJS.ErrnoException)?.code}`));
    await until(client, 'close');
  });

  both('a write after destroy', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.on('error', () => {});
    log.watch('client', client, SOCKET);
    client.destroy();
    client.write('y', (error) => log.note(`write ${(error as NodeJS.ErrnoException)?.code}`));
    await until(client, 'close');
  });

  both('write callbacks, and the callback of end', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    client.resume();
    log.watch('client', client, SOCKET);
    client.write('a', () => log.note('a'));
    client.write('b', 'latin1', () => log.note('b'));
    client.end('c', () => log.note('c'));
    await until(client, 'close');
    log.note(`${client.bytesWritten}`);
  });

  both('back-pressure of the writer', async (net, log) => {
    const { client, peer } = await connected(net);
    let received = 0;
    peer.on('data', (chunk) => {
      received += chunk.length;
    });
    log.note(`${client.write(Buffer.alloc(100))}`);
    log.note(`${client.write(Buffer.alloc(16 * MEGABYTE))} ${client.writableNeedDrain}`);
    await until(client, 'drain');
    log.note(`${client.writableLength} ${client.writableNeedDrain}`);
    client.end();
    await until(peer, 'close');
    log.note(`${received} ${client.bytesWritten} ${peer.bytesRead}`);
  });

  both('back-pressure of a reader that does not read', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.pause();
    client.write(Buffer.alloc(64 * MEGABYTE), () => log.note('written'));
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    log.note(`stuck ${client.writableLength}`);
    let received = 0;
    peer.on('data', (chunk) => {
      received += chunk.length;
    });
    peer.resume();
    await until(client, 'drain');
    client.end();
    await until(peer, 'close');
    log.note(`${received}`);
  });

  both('destroy with a write that is stuck', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.pause();
    peer.on('error', () => {});
    client.write(Buffer.alloc(64 * MEGABYTE), (error) =>
      log.note(`first ${(error as NodeJS.ErrnoException)?.code}`),
    );
    client.write('x', (error) => log.note(`second ${(error as NodeJS.ErrnoException)?.code}`));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    log.watch('client', client, SOCKET);
    client.destroy();
    await until(client, 'close');
    await new Promise((resolve) => setImmediate(resolve));
    peer.destroy();
  });

  both('pause and resume', async (net, log) => {
    const { client, peer } = await connected(net);
    client.pause();
    log.watch('client', client, SOCKET);
    client.pause();
    peer.end('data');
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    log.note(`paused ${client.isPaused()} ${client.readableLength}`);
    client.resume();
    await until(client, 'close');
  });

  both('readable and read', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.write('abc');
    await until(client, 'readable');
    log.note(`${client.read(2)} ${client.readableLength} ${client.read()} ${client.read()}`);
    peer.end('def');
    await until(client, 'readable');
    log.note(`${client.read()}`);
    client.on('data', () => {});
    client.on('end', () => log.note('end'));
    await until(client, 'close');
  });

  both('readable listener set before connecting', async (net, log) => {
    const server = net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await until(server, 'listening');
    const client = new net.Socket();
    const parts: string[] = [];
    client.on('readable', () => {
      let chunk = client.read();
      while (chunk !== null) {
        parts.push(String(chunk));
        chunk = client.read();
      }
    });
    client.connect((server.address() as { port: number }).port, '127.0.0.1');
    await until(client, 'close');
    log.note(parts.join(''));
    server.close();
  });

  both('setEncoding, with a character in two pieces', async (net, log) => {
    const { client, peer } = await connected(net);
    client.setEncoding('utf8');
    const euro = Buffer.from('€');
    peer.setNoDelay(true);
    let text = '';
    client.on('data', (part) => {
      log.note(typeof part);
      text += part;
    });
    peer.write(Buffer.concat([Buffer.from('a'), euro.subarray(0, 1)]));
    await until(client, 'data');
    peer.end(euro.subarray(1));
    await until(client, 'close');
    log.note(text);
  });

  both('encodings of write', async (net, log) => {
    const { client, peer } = await connected(net);
    const chunks: Buffer[] = [];
    peer.on('data', (chunk) => chunks.push(chunk));
    client.write('é', 'latin1');
    client.write('é', 'utf8');
    client.write('4142', 'hex');
    client.write('QUI=', 'base64');
    client.write('ab', 'utf16le');
    client.write(new Uint8Array([1, 2]));
    client.end();
    await until(peer, 'close');
    log.note(Buffer.concat(chunks).toString('hex'));
    log.note(`${client.bytesWritten}`);
  });

  both('setDefaultEncoding', async (net, log) => {
    const { client, peer } = await connected(net);
    client.setDefaultEncoding('hex');
    client.end('6162');
    log.watch('peer', peer, SOCKET);
    await until(peer, 'close');
  });

  both('cork and uncork', async (net, log) => {
    const { client, peer } = await connected(net);
    client.cork();
    client.write('a');
    client.write('b');
    log.note(`${client.writableLength} ${client.bytesWritten}`);
    client.uncork();
    log.note(`${client.writableLength} ${client.bytesWritten}`);
    client.end();
    log.watch('peer', peer, 'data end');
    await until(peer, 'close');
  });

  both('encodings of corked writes', async (net, log) => {
    const { client, peer } = await connected(net);
    const chunks: Buffer[] = [];
    peer.on('data', (chunk) => chunks.push(chunk));
    client.cork();
    client.write('é', 'latin1');
    client.write('');
    client.write('é', 'utf8');
    client.write('4142', 'hex');
    client.write('QUI=', 'base64');
    client.write('ab', 'utf16le');
    client.write(new Uint8Array([1, 2]));
    client.uncork();
    log.note(`${client.bytesWritten}`);
    client.end();
    await until(peer, 'close');
    log.note(Buffer.concat(chunks).toString('hex'));
  });

  both('corked writes that wait for room, while others write', async (net, log) => {
    const { client, peer } = await connected(net);
    const other = await connected(net);
    other.peer.resume();
    peer.pause();
    const [sent, received] = [createHash('sha256'), createHash('sha256')];
    peer.on('data', (chunk) => received.update(chunk));
    for (let i = 0; client.writableLength === 0; i++) {
      const [text, bytes] = [`${i} `.repeat(300), Buffer.alloc(3_000, i)];
      client.cork();
      client.write(text);
      client.write(bytes);
      client.uncork();
      sent.update(text).update(bytes);
    }
    other.client.cork();
    other.client.write('other '.repeat(500));
    other.client.write('text '.repeat(300));
    other.client.uncork();
    peer.resume();
    client.end();
    other.client.end();
    await until(peer, 'close');
    log.note(`${received.digest('hex') === sent.digest('hex')}`);
  });

  both('async iteration', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.end('some bytes');
    let text = '';
    for await (const chunk of client) text += chunk;
    log.note(`${text} ${client.destroyed}`);
  });

  both('leaving an async iteration destroys', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.on('error', () => {});
    peer.write('some bytes');
    log.watch('client', client, 'end close error');
    const closed = until(client, 'close');
    for await (const chunk of client) {
      log.note(`${chunk} ${client.destroyed}`);
      break;
    }
    log.note(`${client.destroyed}`);
    await closed;
    peer.destroy();
  });

  both('pipe to the other end and back', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.pipe(peer);
    let received = 0;
    client.on('data', (chunk) => {
      received += chunk.length;
    });
    client.end(Buffer.alloc(3 * MEGABYTE + 7));
    await until(client, 'close');
    log.note(`${received} ${client.bytesRead}`);
  });

  both('onread into a buffer of the user', async (net, log) => {
    const parts: string[] = [];
    const { client, peer } = await connected(
      net,
      {},
      {
        onread: {
          buffer: Buffer.alloc(4),
          callback: (length, buffer) => {
            parts.push(Buffer.from(buffer.subarray(0, length)).toString());
            return true;
          },
        },
      },
    );
    log.watch('client', client, 'data end close');
    peer.end('abcdefghij');
    await until(client, 'close');
    log.note(`${parts.join('|')} ${client.bytesRead}`);
  });
});
