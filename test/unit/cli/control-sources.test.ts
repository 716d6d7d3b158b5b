import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { captureSource } from '../../../src/cli/control/capture-source.js';
import { ControlClient } from '../../../src/cli/control/client.js';
import { startControlServer } from '../../../src/cli/control/server.js';
import { type Outlet, StreamSource } from '../../../src/cli/control/stream.js';
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
