import { describe, expect, it } from 'vitest';
import { EventTrace } from '../../../src/stack/event-trace.js';
import { describeEvent, type TraceEvent } from '../../../src/stack/trace-event.js';
import { Conversation, type ConversationOptions } from '../../support/conversation.js';
import { Peer } from '../../support/peer.js';

/** What A and B do, a line each, from the end of the handshake on. */
function established(options: ConversationOptions) {
  const conversation = new Conversation(options);
  const lines = { a: [] as string[], b: [] as string[] };
  const events: TraceEvent[] = [];
  conversation.establish();
  const start = conversation.runtime.now();
  for (const side of ['a', 'b'] as const) {
    const onEvent = (event: TraceEvent) => {
      events.push(event);
      lines[side].push(`${Math.round(event.time - start)} ${describeEvent(event)}`);
    };
    conversation[side].addTrace(new EventTrace({ onEvent }));
  }
  return { conversation, lines, events };
}

describe('the events of a conversation', () => {
  it('tell of the handshake, each with its reason', () => {
    const lines: string[] = [];
    const conversation = new Conversation({ isnA: 100, isnB: 500 });
    const onEvent = (event: TraceEvent) => lines.push(describeEvent(event));
    conversation.a.addTrace(new EventTrace({ onEvent }));
    conversation.establish();
    expect(lines).toEqual([
      'CLOSED -> SYN_SENT: active OPEN: RFC 9293 §3.10.1',
      'sent [S] seq 0 win 65535 length 0',
      'retransmission timer set to 1000 ms: octets are outstanding: RFC 6298 §5.1',
      'received [S.] seq 0 ack 1 win 65535 length 0',
      'round trip of 10 ms: SRTT 10 ms, RTTVAR 5 ms, RTO 210 ms: RFC 6298 §2',
      'retransmission timer cancelled: all is acknowledged: RFC 6298 §5.2',
      'SYN_SENT -> ESTABLISHED: SYN and ACK arrived: RFC 9293 §3.10.7.3',
      'ACK now: the SYN is acknowledged: RFC 9293 §3.10.7.3',
      'sent [.] seq 1 ack 1 win 2048 length 0',
    ]);
  });

  it('tell why an ACK is delayed, and that its timer fired', () => {
    const { conversation, lines } = established({ tcp: { quickAcks: 0 } });
    conversation.userA.connection!.write(new Uint8Array(10));
    conversation.run(95);
    expect(lines.b[1]).toBe('5 ACK now: the window has opened: RFC 9293 §3.8.6.2.2');
    lines.b.length = 0;
    conversation.userA.connection!.write(new Uint8Array(100));
    conversation.run(100);
    expect(lines.b).toEqual([
      '100 received [P.] seq 11 ack 1 win 2048 length 100',
      '100 ACK delayed up to 40 ms: less than two full-sized segments wait to be acknowledged: RFC 9293 §3.8.6.3',
      '140 delayed-ACK timer fired: what was received has waited long enough: RFC 9293 §3.8.6.3',
      '140 ACK now: the delayed-ACK timer fired: RFC 9293 §3.8.6.3',
      '140 sent [.] seq 1 ack 111 win 2048 length 0',
    ]);
  });

  it('tell why octets are sent again after a timeout, and what becomes of cwnd', () => {
    const { conversation, lines } = established({
      drop: [{ from: 'a', data: true }],
      tcp: { lossDetection: 'sack' },
    });
    conversation.userA.connection!.write(new Uint8Array(100));
    conversation.run(300);
    expect(lines.a).toEqual([
      '0 sent [P.] seq 1 ack 1 win 2048 length 100',
      '0 retransmission timer set to 210 ms: octets are outstanding: RFC 6298 §5.1',
      '210 retransmission timer fired: no acknowledgment within the RTO: RFC 6298 §5.4',
      '210 cwnd 14480 -> 1448, ssthresh none -> 2896 bytes: all outstanding is taken for lost: RFC 5681 §3.1',
      '210 retransmission timer set to 420 ms: octets are outstanding: RFC 6298 §5.1',
      '210 sent again, RTO: no acknowledgment within the RTO: RFC 6298 §5.4',
      '210 sent [P.] seq 1 ack 1 win 2048 length 100',
      '220 received [.] seq 1 ack 101 win 2048 length 0',
      expect.stringMatching(/^220 round trip of 10 ms: /),
      '220 cwnd 1448 -> 1548 bytes: what has arrived lets the window grow: RFC 9438 §4.2',
      '220 retransmission timer cancelled: all is acknowledged: RFC 6298 §5.2',
      '220 window of the peer 65535 -> 262144 bytes: RFC 9293 §3.10.7.4',
    ]);
  });

  it('tell of the probe for the tail of a flight', () => {
    const { conversation, lines } = established({ drop: [{ from: 'a', data: true, nth: 2 }] });
    conversation.userA.connection!.write(new Uint8Array(2 * 1448));
    conversation.run(300);
    expect(lines.a.filter((line) => /probe|TLP/.test(line))).toEqual([
      '0 loss-probe timer set to 210 ms: the tail of a flight has no later segments: RFC 8985 §7.2',
      '0 loss-probe timer set to 22 ms: the tail of a flight has no later segments: RFC 8985 §7.2',
      '10 loss-probe timer set to 210 ms: the tail of a flight has no later segments: RFC 8985 §7.2',
      '220 loss-probe timer fired: no ACK for the tail of a flight, so a probe asks for one: RFC 8985 §7.3',
      '220 sent again, TLP: no ACK for the tail of a flight, so a probe asks for one: RFC 8985 §7.3',
    ]);
  });

  it('name three duplicate ACKs as the cause of a fast retransmit, and the gap that made them', () => {
    const { conversation, lines, events } = established({
      drop: [{ from: 'a', data: true }],
      tcp: { sack: false },
    });
    conversation.userA.connection!.write(new Uint8Array(8 * 1448));
    conversation.run(100);
    expect(events.filter(({ type }) => type === 'retransmission')).toEqual([
      expect.objectContaining({
        cause: 'fast retransmit',
        why: 'three duplicate ACKs: RFC 5681 §3.2',
      }),
    ]);
    expect(lines.b).toContain(
      '5 ACK now: a gap: a duplicate ACK tells the sender at once, RFC 5681 §4.2',
    );
  });

  it('can be kept, and written as JSON', () => {
    const { conversation, events } = established({});
    conversation.userA.connection!.write(new Uint8Array(10));
    conversation.userA.connection!.close();
    conversation.run(10_000);
    expect(JSON.parse(JSON.stringify(events))).toEqual(events);
    const ends = events.map(({ connection }) => connection?.localAddress);
    expect(new Set(ends)).toEqual(new Set(['10.0.0.1', '10.0.0.2']));
  });
});

describe('events of what a peer does wrong', () => {
  function heard(peer: Peer): string[] {
    const lines: string[] = [];
    peer.host.addTrace(
      new EventTrace({
        onEvent: (event) => lines.push(`${event.type}: ${describeEvent(event)}`),
        wants: (type) => ['dropped', 'challenge', 'overflow', 'cookie'].includes(type),
      }),
    );
    return lines;
  }

  it('tell of a challenge ACK and of the segment that was dropped', () => {
    const peer = new Peer();
    peer.accept();
    const lines = heard(peer);
    peer.send('R', { seq: peer.seq + 1 });
    expect(lines).toEqual([
      'challenge: challenge ACK: a RST that is not exactly next: RFC 5961 §3.2',
      'dropped: dropped [R] seq 2 win 65535 length 0: tcpChallenge',
    ]);
  });

  it('tell of SYN cookies sent, accepted and refused', () => {
    const peer = new Peer();
    peer.listen(1);
    peer.send('S', { seq: 0 });
    peer.expect('S.');
    const lines = heard(peer);
    peer.peerPort++;
    peer.send('S', { seq: 0 });
    peer.expect('S.');
    peer.send('.', { seq: 1, ack: 100 });
    peer.send('.', { seq: 1, ack: 1 });
    expect(lines.filter((line) => line.startsWith('cookie'))).toEqual([
      'cookie: SYN cookie sent to 10.0.0.1:5001 at 10.0.0.2:80: no half-open connection is kept for this SYN: RFC 4987 §3.6',
      'cookie: SYN cookie refused from 10.0.0.1:5001 at 10.0.0.2:80: it acknowledges no cookie of the last minutes: RFC 9293 §3.10.7.2',
      'cookie: SYN cookie accepted from 10.0.0.1:5001 at 10.0.0.2:80: the peer has our SYN,ACK, so its address is not forged: RFC 4987 §3.6',
    ]);
  });

  it('tell of a listener that has no room', () => {
    const peer = new Peer({ tcp: { synCookies: 'never' } });
    peer.listen(1);
    const lines = heard(peer);
    peer.send('S', { seq: 0 });
    peer.peerPort++;
    peer.send('S', { seq: 0 });
    expect(lines).toEqual([
      'overflow: listener overflow at 10.0.0.2:80, 1 connections are in handshake and 10.0.0.1:5001 has to wait: SYNs are forged, or peers do not answer: RFC 4987 §2',
      'dropped: dropped [S] seq 0 win 65535 length 0: tcpBacklogFull',
    ]);
  });
});
