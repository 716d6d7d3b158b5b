import { describe, expect, test } from 'vitest';
import { Stack } from '../../../src/net/stack.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import type { ConnectionInfo, SocketInfo } from '../../../src/stack/connection.js';
import type { Host } from '../../../src/stack/host.js';
import { conversation, PORT_A, PORT_B } from '../../support/conversation.js';

function connectionOf(host: Host): ConnectionInfo {
  const found = [...host.connections()].find((socket) => socket.kind === 'connection');
  if (found?.kind !== 'connection') throw new Error('no connection');
  return found;
}

function timersOf(host: Host): string[] {
  return connectionOf(host).timers.map((timer) => `${timer.name} ${Math.round(timer.remaining)}`);
}

describe('connections()', () => {
  conversation('tells of a listener and the connections that wait for it', {}, (c) => {
    c.listen();
    expect([...c.b.connections()]).toEqual([
      {
        kind: 'listener',
        state: 'LISTEN',
        localAddress: '0.0.0.0',
        localPort: PORT_B,
        pending: 0,
        backlog: 511,
      },
    ]);
    c.connect();
    c.until(() => c.b.connectionCount === 1, 100);
    const [listener, connection] = [...c.b.connections()];
    expect(listener).toMatchObject({ kind: 'listener', pending: 1 });
    expect(connection).toMatchObject({ kind: 'connection', state: 'SYN_RECEIVED' });
  });

  conversation('counts what was sent, again too, and received', {}, (c) => {
    c.establish();
    c.drop({ from: 'a', data: true });
    c.userA.write(Buffer.alloc(5_000));
    c.run(2_000);
    const a = connectionOf(c.a);
    expect(a).toMatchObject({
      state: 'ESTABLISHED',
      localPort: PORT_A,
      remoteAddress: '10.0.0.2',
      remotePort: PORT_B,
      bytesAcked: 5_000,
      flight: 0,
      sendBuffered: 0,
      recovery: 'open',
      backoff: 0,
      timers: [],
    });
    expect(a.retransmits).toBeGreaterThan(0);
    expect(a.bytesRetransmitted).toBeGreaterThan(0);
    expect(a.bytesSent).toBe(5_000 + a.bytesRetransmitted);
    expect(connectionOf(c.b)).toMatchObject({ bytesReceived: 5_000, bytesRetransmitted: 0 });
    expect(a.segmentsReceived).toBe(c.sent('b').length);
    expect(a.segmentsSent).toBe(c.sent('a').length);
  });

  conversation('knows what waits behind a gap', { tcp: { lossDetection: 'sack' } }, (c) => {
    c.establish();
    c.drop({ from: 'a', data: true });
    c.userA.write(Buffer.alloc(2_000));
    c.run(50);
    expect(connectionOf(c.b)).toMatchObject({ outOfOrder: 2_000 - 1_448, receiveBuffered: 0 });
    const { lastSent, lastReceived } = connectionOf(c.a);
    expect(lastSent).toBeCloseTo(50, 5);
    expect(lastReceived).toBeCloseTo(40, 5);
  });

  conversation(
    'counts a segment that was merged as what it was merged from',
    { offload: true },
    (c) => {
      c.establish();
      c.userA.write(Buffer.alloc(1_448 * 7));
      c.run(100);
      expect(connectionOf(c.b).segmentsReceived).toBe(connectionOf(c.a).segmentsSent);
      expect(c.sent('a').length).toBeLessThan(connectionOf(c.b).segmentsReceived);
    },
  );
});

describe('timers', () => {
  conversation('retransmit, with back-off', { tcp: { lossDetection: 'sack' } }, (c) => {
    c.establish();
    for (let nth = 1; nth <= 3; nth++) c.drop({ from: 'a', data: true, nth });
    c.userA.write('lost');
    c.run(50);
    expect(timersOf(c.a)).toEqual(['retransmit 160']);
    c.run(200);
    expect(timersOf(c.a)).toEqual(['retransmit 380']);
    expect(connectionOf(c.a)).toMatchObject({ backoff: 1, recovery: 'loss', flight: 4, rto: 420 });
  });

  conversation('persist', { tcpB: { receiveBuffer: 4_096 } }, (c) => {
    c.establish();
    c.userB.reads = false;
    c.userA.write(Buffer.alloc(20_000));
    c.run(150);
    expect(connectionOf(c.a)).toMatchObject({ timers: [{ name: 'persist' }] });
    expect(connectionOf(c.a).sendBuffered).toBeGreaterThan(10_000);
    expect(connectionOf(c.b).receiveBuffered).toBeGreaterThan(0);
  });

  conversation('delayed ACK and keep-alive, the earlier first', { tcp: { quickAcks: 0 } }, (c) => {
    c.establish();
    c.userB.connection.setKeepAlive(true, 60_000);
    // The first ACK of data is sent at once, to tell the whole window.
    c.userA.write('x');
    c.run(100);
    c.userA.write('y');
    c.run(15);
    expect(timersOf(c.b)).toEqual(['delayedAck 30', 'keepAlive 59990']);
  });

  conversation('FIN_WAIT_2 of a connection that was let go', {}, (c) => {
    c.establish();
    c.userA.connection.close();
    // B holds its ACK back for 40 ms, for a FIN of its own to carry it.
    c.run(100);
    expect(timersOf(c.a)).toEqual(['finWait2 59950']);
    expect(connectionOf(c.a)).toMatchObject({ state: 'FIN_WAIT_2', orphaned: true });
  });

  conversation('TIME_WAIT, as a record', {}, (c) => {
    c.establish();
    c.userB.endsWithPeer = true;
    c.userA.end();
    c.run(1_000);
    expect([...c.a.connections()]).toMatchObject([
      {
        kind: 'timeWait',
        state: 'TIME_WAIT',
        localPort: PORT_A,
        remotePort: PORT_B,
        timers: [{ name: 'timeWait', remaining: expect.closeTo(60_000 - 990, 0) }],
      },
    ]);
  });
});

describe('counters.snapshot()', () => {
  conversation('has every count by name, drops by reason', {}, (c) => {
    c.connect();
    c.run(100);
    const { counters } = c.b;
    const snapshot = counters.snapshot();
    expect(snapshot).toMatchObject({
      ipInReceives: 1,
      tcpInSegs: 1,
      tcpOutRsts: 1,
      ipOutRequests: 1,
    });
    expect(snapshot.ipInOctets).toBe(c.packets[0]!.data.length + 60);
    // The RST has timestamps, since the SYN had.
    expect(snapshot.ipOutOctets).toBe(52);
    expect(snapshot.drops).toMatchObject({ tcpNoConnection: 1, ipShort: 0, txNoRoute: 0 });
    expect(Object.keys(snapshot.drops)).not.toContain('none');
    expect(JSON.parse(JSON.stringify(snapshot))).toEqual(snapshot);
    counters.tcpInSegs++;
    expect(snapshot.tcpInSegs).toBe(1);
  });
});

test('a stack without a link has its views as well', () => {
  const stack = new Stack({ runtime: new VirtualRuntime(1) });
  stack.net.createServer().listen(80);
  const [listener]: (SocketInfo | undefined)[] = stack.connections();
  expect(listener).toMatchObject({ kind: 'listener', localPort: 80 });
  expect(stack.metrics()).toContain('\ntuntcp_listeners 1\n');
  expect(stack.counters.snapshot().tcpInSegs).toBe(0);
  stack.close();
});
