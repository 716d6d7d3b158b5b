import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { captureSource } from '../../../src/cli/control/capture-source.js';
import { ControlClient } from '../../../src/cli/control/client.js';
import type { ControlStream } from '../../../src/cli/control/client-stream.js';
import { type ControlServer, startControlServer } from '../../../src/cli/control/server.js';
import { MAX_WAITING, type Outlet, StreamSource } from '../../../src/cli/control/stream.js';
import { traceSource } from '../../../src/cli/control/trace-source.js';
import { captureLink } from '../../../src/link/capture.js';
import { memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import type { TraceEvent } from '../../../src/stack/trace-event.js';
import { State } from '../../../src/tcp/state.js';
import type { Trace } from '../../../src/tcp/trace.js';
import { parseAddress } from '../../../src/wire/ipv4.js';
import { batchOf, Receiver } from '../link/receiver.js';

let root: string;
const cleanUp: (() => void)[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tuntcp-test-'));
});

afterEach(() => {
  for (const step of cleanUp.splice(0)) step();
  rmSync(root, { recursive: true, force: true });
});

/** A source that a test gives its items to. */
class Tap {
  outlet!: Outlet;
  options: unknown;
  started = 0;
  stopped = 0;
  drains = 0;
  #changed: (() => void)[] = [];

  readonly question = (options: unknown) =>
    new StreamSource((outlet) => {
      this.outlet = outlet;
      this.options = options;
      this.started++;
      this.#change();
      return {
        stop: () => {
          this.stopped++;
          this.#change();
          return { stopped: this.stopped };
        },
        drained: () => {
          this.drains++;
          this.#change();
        },
      };
    });

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  #change(): void {
    for (const wake of this.#changed.splice(0)) wake();
  }
}

/** Speaks to the server without a client's good manners. */
class Rude {
  readonly socket: net.Socket;
  text = '';
  readonly closed: Promise<void>;
  #heard: (() => void)[] = [];

  constructor({ path }: ControlServer) {
    this.socket = net.connect({ path, allowHalfOpen: true });
    this.socket.on('data', (chunk) => {
      this.text += chunk;
      for (const wake of this.#heard.splice(0)) wake();
    });
    this.socket.on('error', () => {});
    this.socket.once('end', () => this.socket.end());
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    cleanUp.push(() => this.socket.destroy());
  }

  say(...requests: object[]): void {
    this.socket.write(requests.map((request) => `${JSON.stringify(request)}\n`).join(''));
  }

  async hears(part: string): Promise<void> {
    while (!this.text.includes(part)) {
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  }

  get replies(): Record<string, unknown>[] {
    return this.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  }
}

async function start(tap: Tap, stalled = 5_000) {
  const questions = { flow: tap.question, me: () => 'me' };
  const server = await startControlServer(join(root, 'x.sock'), questions, { stalled, idle: 500 });
  cleanUp.push(() => server.close());
  return server;
}

describe('a stream', () => {
  it('is items until the client stops it; then other questions are answered', async () => {
    const tap = new Tap();
    const rude = new Rude(await start(tap));
    rude.say({ id: 7, ask: 'flow', with: { a: 1 } });
    await tap.until(() => tap.started === 1);
    expect(tap.options).toEqual({ a: 1 });
    tap.outlet.item('one');
    tap.outlet.item(Uint8Array.of(1, 2, 3));
    rude.say({ id: 7, stop: true }, { id: 7, stop: true }, { id: 8, ask: 'me' });
    await rude.hears('"me"');
    expect(rude.replies).toEqual([
      { id: 7, item: 'one' },
      { id: 7, item: 'AQID' },
      { id: 7, done: { stopped: 1 }, lost: 0 },
      { id: 8, answer: 'me' },
    ]);
    expect([tap.outlet.room, tap.outlet.item('late')]).toEqual([false, false]);
  });

  it('ends with its source, also while it begins', async () => {
    const tap = new Tap();
    const rude = new Rude(await start(tap));
    rude.say({ id: 1, ask: 'flow' });
    await tap.until(() => tap.started === 1);
    tap.outlet.lose(3);
    tap.outlet.end();
    tap.outlet.end();
    await rude.hears('"done"');
    expect(rude.replies).toEqual([
      { id: 1, lost: 3 },
      { id: 1, done: { stopped: 1 }, lost: 3 },
    ]);
    const atOnce = new StreamSource((outlet) => {
      outlet.item('all');
      outlet.end();
      return { stop: () => 'over' };
    });
    const server = await startControlServer(join(root, 'y.sock'), { brief: () => atOnce });
    cleanUp.push(() => server.close());
    const other = new Rude(server);
    other.say({ id: 1, ask: 'brief' }, { id: 2, ask: 'brief' });
    await other.hears('"id":2,"done"');
    expect(other.replies.map(({ id, item, done }) => [id, item ?? done])).toEqual([
      [1, 'all'],
      [1, 'over'],
      [2, 'all'],
      [2, 'over'],
    ]);
  });

  it('ends in order with the input of the client, and with the server', async () => {
    const tap = new Tap();
    const server = await start(tap);
    const first = new Rude(server);
    first.socket.end('{"id":1,"ask":"flow"}\n');
    await first.closed;
    expect(first.replies).toEqual([{ id: 1, done: { stopped: 1 }, lost: 0 }]);
    const second = new Rude(server);
    second.say({ id: 2, ask: 'flow' });
    await tap.until(() => tap.started === 2);
    server.close();
    await second.closed;
    expect(second.replies).toEqual([{ id: 2, done: { stopped: 2 }, lost: 0 }]);
  });

  it('loses what is not read, within a bound, and says how much when it is read', async () => {
    const tap = new Tap();
    const server = await start(tap);
    const rude = new Rude(server);
    rude.say({ id: 1, ask: 'flow' });
    await tap.until(() => tap.started === 1);
    rude.socket.pause();
    const text = 'x'.repeat(100_000);
    let sent = 0;
    // Beyond the bound there is what the kernel holds.
    for (let i = 0; i < 500; i++) {
      if (tap.outlet.item(text, 2)) sent++;
      await turn();
    }
    const most = (MAX_WAITING + 2 * 1024 * 1024) / text.length;
    expect(sent).toBeGreaterThan(MAX_WAITING / text.length);
    expect(sent).toBeLessThan(most);
    expect(tap.outlet.room).toBe(false);
    const lost = 2 * (500 - sent);
    rude.socket.resume();
    await tap.until(() => tap.drains > 0);
    expect(tap.outlet.item('after')).toBe(true);
    rude.say({ id: 1, stop: true });
    await rude.hears('"done"');
    expect(rude.replies.slice(sent)).toEqual([
      { id: 1, lost },
      { id: 1, item: 'after' },
      { id: 1, done: { stopped: 1 }, lost },
    ]);
  });

  it('is stopped when the client vanishes, and when what was asked for the end is not read', async () => {
    const tap = new Tap();
    const server = await start(tap, 20);
    const gone = new Rude(server);
    gone.say({ id: 1, ask: 'flow' });
    await tap.until(() => tap.started === 1);
    gone.socket.destroy();
    await tap.until(() => tap.stopped === 1);
    const deaf = new Rude(server);
    deaf.say({ id: 1, ask: 'flow' });
    await tap.until(() => tap.started === 2);
    deaf.socket.pause();
    while (tap.outlet.item('x'.repeat(1_000_000)));
    deaf.say({ id: 1, stop: true });
    await tap.until(() => tap.stopped === 2);
    // Nothing but a write that fails tells one who does not read.
    const prod = setInterval(() => deaf.socket.write('\n'), 2);
    await deaf.closed;
    clearInterval(prod);
    expect(deaf.text).not.toContain('"done"');
  });

  it.each([
    ['garbage', 'GET / HTTP/1.1\r\n'],
    ['another question', '{"id":2,"ask":"me"}\n'],
    ['a stop for another', '{"id":2,"stop":true}\n'],
    ['a line without end', 'x'.repeat(5_000)],
  ])('is cut off by %s in its midst', async (_, words) => {
    const tap = new Tap();
    const rude = new Rude(await start(tap));
    rude.say({ id: 1, ask: 'flow' });
    await tap.until(() => tap.started === 1);
    tap.outlet.item('one');
    rude.socket.write(words);
    await rude.closed;
    expect(tap.stopped).toBe(1);
    expect(rude.replies).toEqual([
      { id: 1, item: 'one' },
      { id: null, error: expect.stringMatching(/^a(ll|) /) },
    ]);
  });

  it('is refused when eight run, so that there is room for questions', async () => {
    const tap = new Tap();
    const server = await start(tap);
    const all = Array.from({ length: 9 }, () => new Rude(server));
    for (const [i, rude] of all.entries()) {
      rude.say({ id: i, ask: 'flow' });
      if (i < 8) await tap.until(() => tap.started === i + 1);
    }
    await all[8]!.hears('\n');
    expect(all[8]!.replies).toEqual([{ id: 8, error: '8 streams run already' }]);
    all[0]!.socket.destroy();
    await tap.until(() => tap.stopped === 1);
    all[8]!.say({ id: 9, ask: 'flow' });
    await tap.until(() => tap.started === 9);
  });

  it('may be silent for longer than a client may', async () => {
    const tap = new Tap();
    const rude = new Rude(await start(tap));
    const idle = new Rude({ path: join(root, 'x.sock'), close: () => {} });
    rude.say({ id: 1, ask: 'flow' });
    await idle.closed;
    expect(tap.outlet.item('still here')).toBe(true);
    await rude.hears('still here');
  });
});

describe('a client', () => {
  /** `capture` stands for any stream. */
  async function streamOf(question: (options: unknown) => unknown, patience?: number) {
    const server = await startControlServer(join(root, 'z.sock'), { capture: question });
    const client = await ControlClient.connect(server.path, patience);
    cleanUp.push(() => {
      client.close();
      server.close();
    });
    return { server, stream: client.stream('capture', { filter: 'tcp' }) };
  }

  async function all(stream: ControlStream<'capture'>): Promise<unknown[]> {
    const heard: unknown[] = [];
    for await (const one of stream) heard.push(one);
    return heard;
  }

  it('reads a stream to its end, which it may ask for', async () => {
    const tap = new Tap();
    const { stream } = await streamOf(tap.question);
    const heard: unknown[] = [];
    await tap.until(() => tap.started === 1);
    for (const item of ['one', 'two', 'three']) tap.outlet.item(item);
    for await (const one of stream) {
      heard.push(one);
      if (heard.length === 2) stream.stop();
      stream.stop();
    }
    expect(heard).toEqual([{ item: 'one' }, { item: 'two' }, { item: 'three' }]);
    expect(stream.ended).toEqual({ done: { stopped: 1 }, lost: 0 });
  });

  it('takes no more than it reads, and hears where something is missing', async () => {
    const tap = new Tap();
    const { stream } = await streamOf(tap.question);
    await tap.until(() => tap.started === 1);
    tap.outlet.item('first');
    const iterator = stream[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toEqual({ item: 'first' });
    let sent = 0;
    for (let i = 0; i < 100; i++) {
      if (tap.outlet.item(`${'x'.repeat(300_000)}`)) sent++;
      await turn();
    }
    expect(sent).toBeLessThan(50);
    stream.stop();
    const rest: { item?: unknown; lost?: number }[] = [];
    for await (const one of stream) rest.push(one);
    expect(rest.filter((one) => 'item' in one)).toHaveLength(sent);
    expect(rest.at(-1)).toEqual({ lost: 100 - sent });
    expect(stream.ended?.lost).toBe(100 - sent);
  });

  it('says so when the stack refuses, ends without a word, or is silent', async () => {
    const refused = await streamOf(() => {
      throw Object.assign(new Error('no'), { code: 'ERR_NO' });
    });
    await expect(all(refused.stream)).rejects.toMatchObject({ message: 'no', code: 'ERR_NO' });
    refused.server.close();
    const silent = await streamOf(new Tap().question, 30);
    await expect(all(silent.stream)).rejects.toThrow('the stack does not answer');
  });
});

describe('a capture', () => {
  const packetOf = (text: string) => {
    const packet = Buffer.concat([Buffer.alloc(20), Buffer.from(text)]);
    packet[0] = 0x45;
    return packet;
  };

  function wires() {
    const runtime = new VirtualRuntime();
    const [inner, b] = memoryPair({ runtime });
    const link = captureLink(inner, null, { runtime });
    link.open(new Receiver());
    b.open(new Receiver());
    return link;
  }

  it.each([
    [{ filter: 7 }, '"filter" must be a string'],
    [{ snaplen: 0 }, '"snaplen" must be an integer from 1 to 262144'],
    [{ count: 1.5 }, '"count" must be an integer, 1 or more'],
    [{ filter: 'prot' }, "unknown word 'prot' at position 1 of the filter"],
    ['what', null],
    [null, null],
  ])('of %j is refused if that makes no sense', (options, message) => {
    if (message === null) expect(captureSource(wires(), options)).toBeInstanceOf(StreamSource);
    else expect(() => captureSource(wires(), options)).toThrow(message);
  });

  it('counts as lost what finds no room, whether it became an item or not', () => {
    const link = wires();
    let room = true;
    const items: [size: number, count: number][] = [];
    let lost = 0;
    const outlet: Outlet = {
      get room() {
        return room;
      },
      item: (value, count = 1) => {
        items.push([value instanceof Uint8Array ? value.length : 0, count]);
        return true;
      },
      lose: (count) => {
        lost += count;
      },
      end: () => {},
    };
    const streaming = captureSource(link, {}).start(outlet);
    expect(items).toEqual([[0, 0]]);
    room = false;
    const packets = Array.from({ length: 10 }, () => packetOf('x'.repeat(60_000)));
    for (const packet of packets) link.send(batchOf([packet]));
    expect([items.length, lost]).toEqual([1, 6]);
    room = true;
    streaming.drained?.();
    expect(items[1]![1]).toBe(4);
    link.send(batchOf([packetOf('last')]));
    room = false;
    expect(streaming.stop()).toEqual({ captured: 4 });
    expect(lost).toBe(7);
    link.send(batchOf([packetOf('after')]));
    expect([items.length, lost]).toEqual([2, 7]);
  });
});

describe('a trace', () => {
  const traces = new Set<Trace>();
  const stack = {
    addTrace: (trace: Trace) => traces.add(trace),
    removeTrace: (trace: Trace) => traces.delete(trace),
  };
  const connection = (remotePort: number, id = 1) => ({
    id,
    state: State.ESTABLISHED,
    localAddr: parseAddress('10.7.0.2')!,
    localPort: 80,
    remoteAddr: parseAddress('10.7.0.1')!,
    remotePort,
  });
  /** The port of the peer is `port`. */
  const happens = (port: number) => {
    for (const trace of traces) {
      trace.transition(connection(port), State.SYN_RECEIVED, State.ESTABLISHED, 'so', 7);
    }
  };

  it.each([
    [{ types: ['state', 'foo'] }, "there is no event 'foo': it is received, sent, dropped, state,"],
    [{ types: 'state' }, '"types" must be an array'],
    [{ types: [{}] }, 'there is no event'],
    [{ port: '80' }, '"port" must be an integer'],
    [{ host: 80 }, '"host" must be a string'],
    [{ count: 0 }, '"count" must be an integer, 1 or more'],
  ])('of %j is refused', (options, message) => {
    expect(() => traceSource(stack, 'tun7', options)).toThrow(message);
    expect(traces.size).toBe(0);
  });

  it.each([
    [{}, 4],
    [{ types: ['state'] }, 4],
    [{ types: ['rtt', 'timer'] }, 0],
    [{ port: 1001 }, 1],
    [{ port: 80 }, 4],
    [{ port: 81 }, 0],
    [{ host: '10.7.0.1' }, 4],
    [{ host: '10.7.0.2' }, 0],
    [{ count: 3 }, 3],
  ])('of %j has %i of four events, and the stack is traced meanwhile alone', async (with_, n) => {
    const server = await startControlServer(join(root, 't.sock'), {
      trace: (options) => traceSource(stack, 'tun7', options),
    });
    const client = await ControlClient.connect(server.path);
    cleanUp.push(() => {
      client.close();
      server.close();
    });
    const stream = client.stream('trace', with_);
    const events: TraceEvent[] = [];
    for await (const heard of stream) {
      if (!('item' in heard)) throw new Error('nothing is lost here');
      if (Array.isArray(heard.item)) {
        events.push(...heard.item);
        continue;
      }
      expect(heard.item.device).toBe('tun7');
      expect(traces.size).toBe(1);
      for (let port = 1000; port < 1004; port++) happens(port);
      stream.stop();
    }
    expect(traces.size).toBe(0);
    expect(events).toHaveLength(n);
    if (n > 0) expect(events[0]).toMatchObject({ time: 7, type: 'state', why: 'so' });
    expect(stream.ended).toEqual({ done: { events: n }, lost: 0 });
  });

  it('loses what finds no room, and counts it', () => {
    let room = true;
    let lost = 0;
    const counts: number[] = [];
    const streaming = traceSource(stack, 'tun7', {}).start({
      get room() {
        return room;
      },
      item: (_, count = 1) => counts.push(count) > 0,
      lose: (count) => {
        lost += count;
      },
      end: () => {},
    });
    room = false;
    for (let i = 0; i < 300; i++) happens(i + 1);
    expect([counts, lost]).toEqual([[0], 44]);
    room = true;
    happens(1);
    expect(counts).toEqual([0, 256]);
    room = false;
    expect(streaming.stop()).toEqual({ events: 256 });
    expect(lost).toBe(45);
  });
});
