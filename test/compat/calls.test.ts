import type { Server, Socket } from 'node:net';
import { describe } from 'vitest';
import {
  both,
  connected,
  freePort,
  type Log,
  type Net,
  serve,
  show,
  turns,
  until,
} from './both.js';

const EVENTS =
  'lookup connectionAttempt connectionAttemptFailed connect ready data end finish drain close error timeout';

/** A socket in some state of its life, and what has to be closed when the case is over. */
interface Case {
  socket: Socket;
  peer?: Socket;
  server?: Server;
}

const quiet = (socket: Socket): Socket => socket.on('error', () => {});

async function pair(net: Net, options: object = {}): Promise<Case> {
  const { client, peer, server } = await connected(net, { ...options }, options);
  quiet(peer);
  return { socket: client, peer, server };
}

/** Each state, and how a socket comes to be in it. */
const STATES: Record<string, (net: Net) => Promise<Case>> = {
  new: async (net) => ({ socket: new net.Socket() }),
  connecting: async (net) => {
    const { server, port } = await serve(net, (peer) => quiet(peer).resume());
    return { socket: net.connect(port, '127.0.0.1'), server };
  },
  'being refused': async (net) => ({ socket: net.connect(await freePort(net), '127.0.0.1') }),
  connected: (net) => pair(net),
  'with data to read': async (net) => {
    const made = await pair(net);
    made.peer!.write('waiting');
    await turns();
    return made;
  },
  'half-open and ended by us': async (net) => {
    const made = await pair(net, { allowHalfOpen: true });
    made.peer!.resume();
    made.socket.end('last');
    await until(made.socket, 'finish');
    return made;
  },
  'half-open and ended by the peer': async (net) => {
    const made = await pair(net, { allowHalfOpen: true });
    made.socket.resume();
    made.peer!.end();
    await until(made.socket, 'end');
    return made;
  },
  'ended by the peer': async (net) => {
    const made = await pair(net);
    made.peer!.end();
    await turns();
    return made;
  },
  'reset by the peer': async (net) => {
    const made = await pair(net);
    quiet(made.socket);
    made.peer!.resetAndDestroy();
    await until(made.socket, 'close');
    return made;
  },
  'destroyed a moment ago': async (net) => {
    const made = await pair(net);
    made.socket.destroy();
    return made;
  },
  closed: async (net) => {
    const made = await pair(net);
    made.socket.destroy();
    await until(made.socket, 'close');
    return made;
  },
};

type Call = (socket: Socket, log: Log) => unknown;
const called = (log: Log, name: string) => (error?: Error | null) =>
  log.note(`${name} called with ${show(error)}`);

/** What a program may do with a socket at any time. */
const CALLS: Record<string, Call> = {
  write: (s, log) => s.write('hello', called(log, 'write')),
  'write of nothing': (s, log) => s.write('', called(log, 'write')),
  'write of a Uint8Array': (s, log) => s.write(new Uint8Array([65, 66]), called(log, 'write')),
  'write with an encoding': (s, log) => s.write('é', 'latin1', called(log, 'write')),
  'write of an unknown encoding': (s) => s.write('x', 'nonsense' as BufferEncoding),
  'two writes': (s, log) => [
    s.write('one', called(log, 'first')),
    s.write('two', called(log, 'second')),
    s.writableLength,
    s.bytesWritten,
  ],
  'corked writes': (s, log) => {
    s.cork();
    s.write('a', called(log, 'a'));
    s.write('b', called(log, 'b'));
    log.note(`corked ${s.writableCorked} ${s.writableLength}`);
    s.uncork();
  },
  end: (s) => s.end() === s,
  'end with data': (s, log) => s.end('bye', called(log, 'end')) === s,
  'end twice': (s, log) => {
    s.end(called(log, 'first'));
    s.end(called(log, 'second'));
  },
  'write after end': (s, log) => {
    s.end();
    s.write('late', called(log, 'late'));
  },
  'end and destroy': (s, log) => s.end('x', called(log, 'end')).destroy() === s,
  'write and destroy': (s, log) => {
    s.write('x', called(log, 'write'));
    s.destroy();
  },
  destroy: (s) => s.destroy() === s,
  'destroy with an error': (s) => s.destroy(new Error('mine')) === s,
  'destroy twice': (s) => s.destroy(new Error('first')).destroy(new Error('second')) === s,
  destroySoon: (s) => s.destroySoon(),
  resetAndDestroy: (s) => s.resetAndDestroy() === s,
  'pause and resume': (s) => [s.pause() === s, s.isPaused(), s.resume() === s, s.isPaused()],
  read: (s) => s.read(),
  'read of some': (s) => s.read(3),
  setEncoding: (s) => s.setEncoding('utf8') === s,
  unshift: (s) => s.unshift('before'),
  setNoDelay: (s) => [s.setNoDelay() === s, s.setNoDelay(false) === s],
  setKeepAlive: (s) => [s.setKeepAlive(true, 5000) === s, s.setKeepAlive() === s],
  'setTimeout, and off again': (s, log) => {
    const listener = called(log, 'timeout');
    s.setTimeout(1000, listener);
    log.note(`${s.timeout} ${s.listenerCount('timeout')}`);
    s.setTimeout(0, listener);
    return [s.timeout, s.listenerCount('timeout')];
  },
  'ref and unref': (s) => [s.unref() === s, s.ref() === s],
  names: (s) => [
    typeof s.localPort,
    s.localAddress,
    s.localFamily,
    typeof s.remotePort,
    s.remoteAddress,
    s.remoteFamily,
    Object.keys(s.address()),
  ],
  'the private members that programs look at': (s) => {
    const inside = s as unknown as Record<string, unknown>;
    const { _handle, _host, _parent, _server, server, _httpMessage } = inside;
    return [_handle === null, _host, _parent, _server === null, server === null, _httpMessage];
  },
  'async iteration': async (s, log) => {
    try {
      for await (const chunk of s) log.note(`got ${chunk}`);
      log.note('iterated');
    } catch (error) {
      log.note(`iteration failed with ${show(error)}`);
    }
  },
  'setTimeout of a wrong type': (s) => s.setTimeout('x' as unknown as number),
  'write of a wrong type': (s) => s.write(5 as unknown as string),
  'write of null': (s) => s.write(null as unknown as string),
  'connect without arguments': (s) => (s.connect as () => Socket)(),
  'connect to a bad port': (s) => s.connect(70_000),
};

function state(socket: Socket): string {
  return [
    socket.readyState,
    socket.connecting,
    socket.pending,
    socket.destroyed,
    socket.closed,
    socket.readable,
    socket.writable,
    socket.readableFlowing,
    socket.readableEnded,
    socket.writableEnded,
    socket.writableFinished,
    socket.bytesRead,
    socket.bytesWritten,
    socket.writableLength,
    socket.bufferSize,
    socket.timeout,
  ].join(' ');
}

async function over({ socket, peer, server }: Case): Promise<void> {
  quiet(socket);
  for (const each of [socket, peer]) {
    if (each === undefined || each.closed) continue;
    const closed = until(each, 'close');
    each.destroy();
    await closed;
  }
  server?.close();
}

function result(value: unknown): string {
  if (Array.isArray(value)) return value.map(result).join(' ');
  return value instanceof Promise ? 'a promise' : show(value);
}

for (const [stateName, prepare] of Object.entries(STATES)) {
  describe(`a socket that is ${stateName}`, () => {
    for (const [callName, call] of Object.entries(CALLS)) {
      both(callName, async (net, log) => {
        const made = await prepare(net);
        const { socket } = made;
        log.note(`before: ${state(socket)}`);
        log.watch('socket', socket, EVENTS);
        try {
          log.note(`gives ${result(call(socket, log))}`);
        } catch (error) {
          log.note(`throws ${show(error)}`);
        }
        log.note(`at once: ${state(socket)}`);
        process.nextTick(() => log.note('next tick'));
        await turns();
        log.note(`later: ${state(socket)}`);
        await over(made);
      });
    }
  });
}
