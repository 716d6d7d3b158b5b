import { describe } from 'vitest';
import { both, connected, until } from './both.js';

const SOCKET = 'data end finish close error timeout';
const turns = async (count = 20): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe('closing', () => {
  both('destroy in data', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.on('error', () => {});
    client.on('data', () => client.destroy());
    log.watch('client', client, SOCKET);
    peer.write('x');
    await until(client, 'close');
    peer.destroy();
  });

  both('destroy in end', async (net, log) => {
    const { client, peer } = await connected(net);
    client.on('end', () => client.destroy());
    log.watch('client', client, SOCKET);
    peer.end('x');
    client.resume();
    await until(client, 'close');
  });

  both('destroy in finish', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    client.on('finish', () => client.destroy());
    log.watch('client', client, SOCKET);
    client.end('x');
    await until(client, 'close');
  });

  both('destroy in the callback of a write', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    client.write('x', () => client.destroy());
    log.watch('client', client, SOCKET);
    await until(client, 'close');
  });

  both('destroy with an error', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    log.watch('client', client, SOCKET);
    client.destroy(new RangeError('mine'));
    log.note(`${client.destroyed} ${client.readyState} ${client.errored?.message}`);
    client.destroy(new Error('second'));
    await until(client, 'close');
  });

  both('end and destroy in one turn', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    log.watch('client', client, SOCKET);
    client.end('x', () => log.note('ended'));
    client.destroy();
    await until(client, 'close');
  });

  both('the peer sees the end of a destroyed socket', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    log.watch('peer', peer, SOCKET);
    client.destroy();
    await until(peer, 'close');
  });

  both('destroySoon after a write', async (net, log) => {
    const { client, peer } = await connected(net);
    log.watch('peer', peer, SOCKET);
    client.write('last words');
    (client as unknown as { destroySoon(): void }).destroySoon();
    await until(peer, 'close');
  });

  both('a reset from the peer while reading', async (net, log) => {
    const { client, peer } = await connected(net);
    log.watch('client', client, SOCKET);
    peer.resetAndDestroy();
    await until(client, 'close');
  });

  both('a reset is silent at the side that makes it', async (net, log) => {
    const { client, peer } = await connected(net);
    client.on('error', () => {});
    log.watch('peer', peer, SOCKET);
    log.note(`${peer.resetAndDestroy() === peer}`);
    await until(peer, 'close');
  });

  both('a reset after data', async (net, log) => {
    const { client, peer } = await connected(net);
    client.resume();
    peer.write('data');
    await until(client, 'data');
    log.watch('client', client, SOCKET);
    peer.resetAndDestroy();
    await until(client, 'close');
  });

  both('a reset while a write is stuck', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.pause();
    client.write(Buffer.alloc(64 * 1024 * 1024), (error) =>
      log.note(`write ${(error as NodeJS.ErrnoException)?.code}`),
    );
    await turns();
    log.watch('client', client, SOCKET);
    peer.resetAndDestroy();
    await until(client, 'close');
  });

  both('no end without reading', async (net, log) => {
    const { client, peer } = await connected(net);
    log.watch('client', client, 'end close');
    peer.end('unread');
    await turns();
    log.note(`${client.readableLength} ${client.readableEnded}`);
    client.resume();
    await until(client, 'close');
  });

  both('an end without data needs no reader', async (net, log) => {
    const { client, peer } = await connected(net);
    log.watch('client', client, 'end finish close');
    peer.end();
    await until(client, 'close');
  });

  both('both end at once', async (net, log) => {
    const { client, peer } = await connected(net);
    log.watch('client', client, SOCKET);
    client.end('a');
    peer.end('b');
    peer.resume();
    await until(client, 'close');
  });

  both('a socket that is not readable', async (net, log) => {
    const { client, peer } = await connected(net);
    log.note(`${peer.listenerCount('end')} ${client.listenerCount('end')}`);
    client.end();
    peer.resume();
    await until(client, 'close');
    log.note(`${client.closed} ${client.readableEnded} ${client.writableFinished}`);
  });
});

describe('timeouts', () => {
  both('an idle socket, once for each silence', async (net, log) => {
    const { client, peer } = await connected(net);
    log.watch('client', client, SOCKET);
    client.setTimeout(30, () => log.note('callback'));
    log.note(`${client.timeout}`);
    await until(client, 'timeout');
    peer.write('x');
    await until(client, 'data');
    await until(client, 'timeout');
    client.destroy();
    await until(client, 'close');
  });

  both('no timeout after 0, and none after destroy', async (net, log) => {
    const { client, peer } = await connected(net);
    peer.resume();
    log.watch('client', client, SOCKET);
    const callback = () => log.note('callback');
    client.setTimeout(10, callback);
    client.setTimeout(0, callback);
    log.note(`${client.timeout} ${client.listenerCount('timeout')}`);
    peer.setTimeout(10);
    peer.destroy();
    await until(client, 'close');
  });

  both('the timeout option of connect', async (net, log) => {
    const { client } = await connected(net, {}, { timeout: 20 });
    log.note(`${client.timeout}`);
    await until(client, 'timeout');
    log.note('timeout');
    client.destroy();
    await until(client, 'close');
  });
});
