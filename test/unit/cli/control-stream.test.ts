import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../../../src/cli/control/client.js';
import type { ControlStream } from '../../../src/cli/control/client-stream.js';
import { type ControlServer, startControlServer } from '../../../src/cli/control/server.js';
import { MAX_WAITING, type Outlet, StreamSource } from '../../../src/cli/control/stream.js';

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
