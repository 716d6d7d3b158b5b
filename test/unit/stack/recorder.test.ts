import { describe, expect, it } from 'vitest';
import { LadderPrinter, renderLadder, renderLadderHtml } from '../../../src/stack/ladder.js';
import type { LadderLine, SegmentLine } from '../../../src/stack/ladder-line.js';
import { Recorder } from '../../../src/stack/recorder.js';
import { RTO } from '../../../src/tcp/retransmit-cause.js';
import { State } from '../../../src/tcp/state.js';
import { Drop } from '../../../src/wire/drop-reason.js';
import { ACK, FIN, PSH, RST, SYN } from '../../../src/wire/segment.js';
import { connection, segment, tcb } from './segments.js';

const THEIRS = 0xfffffff0; // crosses 2^32 within the first bytes
const OURS = 7_000_000;

/** A request, an answer and a close by us, as the host would announce them. */
function conversation(recorder: Recorder, id = 1, peerPort = 53122): void {
  const ends = { peerPort };
  const at = (state: State) => connection(id, state, ends);
  const got = (fields: { flags: number; seq: number; ack?: number; len?: number }) =>
    segment(true, { ...ends, wnd: 502, ...fields });
  const made = (fields: { flags: number; seq: number; ack?: number; len?: number }) =>
    segment(false, { ...ends, wnd: 1000, ...fields });

  recorder.received(
    segment(true, { ...ends, flags: SYN, seq: THEIRS, syn: true }),
    at(State.LISTEN),
    10,
  );
  recorder.transition(at(State.SYN_RECEIVED), State.LISTEN, State.SYN_RECEIVED, 'SYN', 10);
  recorder.sent(
    segment(false, { ...ends, flags: SYN | ACK, seq: OURS, ack: THEIRS + 1, syn: true }),
    at(State.SYN_RECEIVED),
    10.021,
  );
  recorder.received(
    got({ flags: ACK, seq: THEIRS + 1, ack: OURS + 1 }),
    at(State.SYN_RECEIVED),
    10.1,
  );
  recorder.transition(
    at(State.ESTABLISHED),
    State.SYN_RECEIVED,
    State.ESTABLISHED,
    'ACK of SYN',
    10.1,
  );
  recorder.received(
    got({ flags: PSH | ACK, seq: THEIRS + 1, ack: OURS + 1, len: 73 }),
    at(State.ESTABLISHED),
    10.2,
  );
  recorder.transition(at(State.FIN_WAIT_1), State.ESTABLISHED, State.FIN_WAIT_1, 'close', 10.3);
  recorder.sent(
    made({ flags: FIN | PSH | ACK, seq: OURS + 1, ack: THEIRS + 74, len: 1000 }),
    at(State.FIN_WAIT_1),
    10.4,
  );
  recorder.received(
    got({ flags: FIN | ACK, seq: THEIRS + 74, ack: OURS + 1002 }),
    at(State.FIN_WAIT_1),
    10.5,
  );
  recorder.transition(at(State.FIN_WAIT_2), State.FIN_WAIT_1, State.FIN_WAIT_2, 'ACK', 10.5);
  recorder.transition(at(State.TIME_WAIT), State.FIN_WAIT_2, State.TIME_WAIT, 'FIN', 10.5);
  recorder.sent(
    made({ flags: ACK, seq: OURS + 1002, ack: THEIRS + 75 }),
    at(State.TIME_WAIT),
    10.6,
  );
  recorder.transition(at(State.CLOSED), State.TIME_WAIT, State.CLOSED, '2 MSL', 60_010.6);
}

function segments(lines: LadderLine[]): SegmentLine[] {
  return lines.filter((line) => line.kind === 'segment');
}

describe('Recorder', () => {
  it('puts each transition with its segment, relative numbers and scaled windows', () => {
    const recorder = new Recorder();
    conversation(recorder);
    expect(renderLadder(recorder.find('10.7.0.1', 53122, 80)!, { width: 110 })).toMatchSnapshot();
  });

  it('puts changes of state below the segments where the screen is narrow', () => {
    const recorder = new Recorder();
    conversation(recorder);
    const text = renderLadder(recorder.find('10.7.0.1', 53122, 80)!, { width: 70 });
    expect(text).toMatchSnapshot();
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(70);
  });

  it('claims the SYN that was announced before its connection existed', () => {
    const recorder = new Recorder();
    recorder.received(segment(true, { flags: SYN, seq: 5, syn: true }), null, 1);
    recorder.transition(
      connection(9, State.SYN_RECEIVED),
      State.LISTEN,
      State.SYN_RECEIVED,
      'SYN',
      1,
    );
    const lines = segments(recorder.linesOf(9));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ flags: 'SYN', state: 'SYN_RECEIVED', sent: false });
    expect(lines[0]!.transitions).toEqual([{ from: 'LISTEN', to: 'SYN_RECEIVED', cause: 'SYN' }]);
  });

  it('shows a refused SYN, and begins anew when the port opens', () => {
    const recorder = new Recorder();
    recorder.received(segment(true, { flags: SYN, seq: 5 }), null, 1);
    recorder.sent(segment(false, { flags: RST | ACK, seq: 0, ack: 6 }), null, 1);
    const refused = recorder.find('10.7.0.1', 53122, 80)!;
    expect(segments(refused.lines()).map((line) => [line.flags, line.seq, line.ack])).toEqual([
      ['SYN', 0, null],
      ['RST ACK', 0, 1],
    ]);
    conversation(recorder, 4);
    expect(recorder.find('10.7.0.1', 53122, 80)).not.toBe(refused);
    expect(refused.lines()).toHaveLength(2);
  });

  it('begins another conversation with a SYN that ends TIME_WAIT', () => {
    const recorder = new Recorder();
    conversation(recorder, 1);
    const before = recorder.linesOf(1).slice(0, -1);
    const old = connection(1, State.TIME_WAIT);
    recorder.received(segment(true, { flags: SYN, seq: 900 }), old, 100);
    recorder.transition(old, State.TIME_WAIT, State.CLOSED, 'reuse', 100);
    recorder.transition(connection(2, State.LISTEN), State.LISTEN, State.SYN_RECEIVED, 'SYN', 100);
    expect(segments(recorder.linesOf(1))).toEqual(segments(before));
    expect(recorder.linesOf(2)).toMatchObject([{ flags: 'SYN', seq: 0, state: 'SYN_RECEIVED' }]);
  });

  it('gives an abort to its RST, and a timeout a line of its own', () => {
    const recorder = new Recorder();
    const at = connection(3, State.CLOSED);
    recorder.received(segment(true, { flags: ACK, seq: 1, ack: 1 }), at, 0);
    recorder.transition(at, State.ESTABLISHED, State.CLOSED, 'abort', 1);
    recorder.sent(segment(false, { flags: RST, seq: 1 }), at, 1);
    expect(segments(recorder.linesOf(3)).at(-1)).toMatchObject({
      flags: 'RST',
      transitions: [{ from: 'ESTABLISHED', to: 'CLOSED', cause: 'abort' }],
    });
    const other = connection(4, State.CLOSED, { peerPort: 2 });
    recorder.sent(segment(false, { peerPort: 2, flags: ACK, seq: 1, ack: 1 }), other, 2);
    recorder.transition(other, State.ESTABLISHED, State.CLOSED, 'user timeout', 9);
    // Sent with nothing after it but time: an ACK does not close a connection.
    expect(recorder.linesOf(4).map((line) => line.kind)).toEqual(['segment', 'transition']);
  });

  it('keeps the first segments and the latest, counts what lies between', () => {
    const recorder = new Recorder({ segments: 16 });
    const at = connection(1, State.ESTABLISHED);
    recorder.received(segment(true, { flags: SYN, seq: 0 }), at, 0);
    for (let i = 0; i < 1000; i++) {
      recorder.received(
        segment(true, { flags: ACK, seq: 1 + i * 100, ack: 1, len: 100 }),
        at,
        1 + i,
      );
    }
    const lines = recorder.linesOf(1);
    expect(lines).toHaveLength(17);
    expect(lines[0]).toMatchObject({ flags: 'SYN' });
    expect(lines[8]).toEqual({ kind: 'gap', segments: 985, length: 98_500 });
    expect(lines.at(-1)).toMatchObject({ seq: 99_901, time: 1000 });
    const text = renderLadder(recorder.find('10.7.0.1', 53122, 80)!);
    expect(text).toContain('... 992 segments, 99 kB ...');
    expect(text.split('\n').length).toBeLessThan(16);
  });

  it('forgets the connection that was quiet for longest', () => {
    const recorder = new Recorder({ connections: 3 });
    for (let port = 1; port <= 3; port++) conversation(recorder, port, port);
    recorder.received(
      segment(true, { peerPort: 1, flags: ACK }),
      connection(1, State.TIME_WAIT, { peerPort: 1 }),
      99,
    );
    conversation(recorder, 4, 4);
    expect(recorder.conversations().map((one) => one.remotePort)).toEqual([1, 3, 4]);
    expect(recorder.linesOf(2)).toEqual([]);
    expect(recorder.find('10.7.0.1', 2, 80)).toBeNull();
  });

  it('shows SACK blocks relative to what they acknowledge, and merged segments', () => {
    const recorder = new Recorder();
    const at = connection(1, State.ESTABLISHED);
    recorder.received(segment(true, { flags: SYN, seq: THEIRS, syn: true }), at, 0);
    recorder.received(
      segment(true, {
        flags: ACK,
        seq: THEIRS + 1449,
        ack: 1,
        len: 65_160,
        wnd: 1,
        segmentSize: 1448,
      }),
      at,
      1,
    );
    recorder.sent(
      segment(false, {
        flags: ACK,
        seq: 1,
        ack: THEIRS + 1,
        sack: [THEIRS + 1449, THEIRS + 66_609],
      }),
      at,
      2,
    );
    const lines = segments(recorder.linesOf(1));
    expect(lines[1]).toMatchObject({ seq: 1449, length: 65_160, segments: 45, window: 1 });
    expect(lines[2]).toMatchObject({ ack: 1, options: 'sack 1449-66609' });
  });

  it('says which segments we sent again', () => {
    const recorder = new Recorder();
    const at = connection(1, State.ESTABLISHED);
    const send = (fields: { flags: number; seq: number; len?: number }) =>
      recorder.sent(segment(false, { ack: 1, ...fields }), at, 0);
    send({ flags: SYN, seq: -1 });
    send({ flags: SYN, seq: -1 });
    send({ flags: ACK, seq: 0, len: 100 });
    send({ flags: ACK, seq: 100, len: 100 });
    send({ flags: ACK, seq: 100, len: 100 });
    send({ flags: ACK, seq: 200 });
    send({ flags: FIN | ACK, seq: 200 });
    send({ flags: FIN | ACK, seq: 100, len: 100 });
    expect(segments(recorder.linesOf(1)).map((line) => line.retransmission)).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
      false,
      true,
    ]);
    expect(renderLadder(recorder.find('10.7.0.1', 53122, 80)!)).toContain('len=100 (again) win');
  });

  it('says why a segment was sent again, and which timer made us', () => {
    const recorder = new Recorder();
    const at = tcb(1, State.ESTABLISHED);
    const data = segment(false, { flags: ACK, seq: 0, ack: 1, len: 100 });
    recorder.sent(data, at, 0);
    recorder.timer(at, 'retransmit', 'armed', 150, 'data', 0);
    recorder.timer(at, 'retransmit', 'armed', 201, 'moved', 1);
    recorder.timer(at, 'retransmit', 'fired', 201, 'no ACK', 202);
    recorder.retransmits(at, RTO);
    recorder.sent(data, at, 202);
    recorder.timer(at, 'retransmit', 'armed', 400, 'again', 202);
    recorder.received(segment(true, { flags: ACK, seq: 1, ack: 100 }), at, 220);
    recorder.timer(at, 'retransmit', 'cancelled', 400, 'all is acknowledged', 220);
    recorder.sent(segment(false, { flags: ACK, seq: 100, ack: 1 }), at, 230);
    const lines = recorder.linesOf(1);
    expect(lines.map((line) => line.kind)).toEqual([
      'segment',
      'timer',
      'segment',
      'segment',
      'segment',
    ]);
    expect(lines[1]).toEqual({ kind: 'timer', time: 202, timer: 'retransmit', after: 201 });
    expect(lines[2]).toMatchObject({ retransmission: true, cause: RTO });
    expect(lines[4]).toMatchObject({ retransmission: false, cause: null });
  });

  it('says how long an ACK was held, why it was sent, and what was dropped', () => {
    const recorder = new Recorder();
    const at = tcb(1, State.ESTABLISHED);
    const got = segment(true, { flags: ACK, seq: 1, ack: 1, len: 10 });
    recorder.received(got, at, 0);
    recorder.timer(at, 'delayedAck', 'armed', 40, 'one segment', 0);
    recorder.timer(at, 'delayedAck', 'fired', 40, 'one segment', 40);
    recorder.acknowledges(at, 'held long enough');
    recorder.sent(segment(false, { flags: ACK, seq: 1, ack: 11 }), at, 40);
    recorder.received(got, at, 50);
    recorder.dropped(got, at, Drop.TCP_UNACCEPTABLE_SEQ);
    recorder.sent(segment(false, { flags: ACK, seq: 1, ack: 11 }), at, 50);
    expect(recorder.linesOf(1)).toMatchObject([
      { dropped: null, retransmission: false },
      { held: 40, why: 'held long enough' },
      { dropped: 'tcpUnacceptableSeq', retransmission: true },
      { held: null, why: null },
    ]);
  });

  it('forgets why with the connection', () => {
    const recorder = new Recorder({ connections: 2 });
    const first = tcb(1, State.ESTABLISHED);
    recorder.sent(segment(false, { flags: ACK, seq: 0, ack: 1, len: 9 }), first, 0);
    recorder.timer(first, 'persist', 'armed', 5, 'shut', 0);
    recorder.timer(first, 'persist', 'fired', 5, 'shut', 5);
    recorder.retransmits(first, RTO);
    for (const id of [2, 3]) {
      const ends = { peerPort: id };
      const fields = { ...ends, flags: ACK, seq: 0, ack: 1, len: 9 };
      recorder.sent(segment(false, fields), connection(id, State.ESTABLISHED, ends), 6);
      expect(recorder.linesOf(id)).toMatchObject([{ kind: 'segment', cause: null }]);
    }
  });

  it('keeps all of what there is room for, far beyond what it starts with', () => {
    const recorder = new Recorder({ segments: 300 });
    const at = connection(1, State.ESTABLISHED);
    for (let i = 0; i < 300; i++) {
      recorder.received(segment(true, { flags: ACK, seq: i, ack: 1, len: 1 }), at, i);
    }
    expect(segments(recorder.linesOf(1)).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 300 }, (_, i) => i),
    );
  });

  it('takes what comes late for sent again only if it is not merely overtaken', () => {
    const recorder = new Recorder();
    const at = connection(1, State.ESTABLISHED);
    const got = (seq: number, now: number) =>
      recorder.received(segment(true, { flags: ACK, seq, ack: 1, len: 100 }), at, now);
    got(0, 0);
    got(300, 10);
    got(200, 11);
    got(100, 20);
    got(300, 20);
    expect(segments(recorder.linesOf(1)).map((line) => line.retransmission)).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
  });

  it('gives each line to its listener once, complete with its transitions', () => {
    const heard: LadderLine[] = [];
    const tasks: (() => void)[] = [];
    const recorder = new Recorder({
      onLine: (line) => heard.push(line),
      defer: (task) => tasks.push(task),
    });
    conversation(recorder);
    expect(heard.at(-1)).toMatchObject({ flags: 'FIN ACK' });
    for (const task of tasks) task();
    expect(heard).toEqual(recorder.linesOf(1));
    for (const task of tasks) task();
    expect(heard).toHaveLength(recorder.linesOf(1).length);
  });
});

describe('LadderPrinter', () => {
  it('prints a header where the talk passes to another connection, and folds long runs', () => {
    let text = '';
    const printer = new LadderPrinter((more) => (text += more), { width: 100 });
    const recorder = new Recorder({ onLine: printer.line });
    const at = connection(1, State.ESTABLISHED);
    for (let i = 0; i < 1214; i++) {
      recorder.received(segment(true, { flags: ACK, seq: i * 1448, ack: 1, len: 1448 }), at, i);
    }
    conversation(recorder, 2, 40_000);
    recorder.flush();
    printer.finish();
    expect(text).toMatchSnapshot();
  });

  it('folds two transfers that go on at the same time', () => {
    let text = '';
    const printer = new LadderPrinter((more) => (text += more));
    const recorder = new Recorder({ onLine: printer.line });
    for (let i = 0; i < 1000; i++) {
      for (const peerPort of [1, 2]) {
        const at = connection(peerPort, State.ESTABLISHED, { peerPort });
        const data = { peerPort, flags: ACK, seq: i * 1000, ack: 1, len: 1000 };
        recorder.received(segment(true, data), at, i);
      }
    }
    recorder.flush();
    printer.finish();
    expect(text.match(/\.\.\. 993 segments, 993 kB \.\.\./g)).toHaveLength(2);
    expect(text.split('\n').length).toBeLessThan(60);
  });

  it('colours only when asked', () => {
    const recorder = new Recorder();
    conversation(recorder);
    const one = recorder.find('10.7.0.1', 53122, 80)!;
    expect(renderLadder(one, { colour: true })).toContain('\x1b[33m SYN_RECEIVED\x1b[0m');
    expect(renderLadder(one)).not.toContain('\x1b');
  });

  it('escapes for HTML', () => {
    const recorder = new Recorder();
    conversation(recorder);
    const text = renderLadderHtml(recorder.find('10.7.0.1', 53122, 80)!, 110);
    expect(text).toContain('&#60;mss 1460,sackOK,ts,wscale 7&#62;');
    expect(text.replace(/<\/?span[^<>]*>/g, '')).not.toMatch(/[<>]/);
  });
});
