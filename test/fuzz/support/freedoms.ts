import { ACK, FIN, RST, SYN } from '../../../src/wire/segment.js';
import type { Answer } from './answers.js';
import type { Taken } from './conversation.js';
import type { TcpStep } from './step.js';

/** One step as both TCPs took it, and the steps before it as we took them. */
export interface Pair extends Taken {
  linux: Answer;
  before: readonly Taken[];
}

/** A way in which two TCPs may differ, and both be right. */
export interface Freedom {
  name: string;
  reason: string;
  /** The two are in the same state after it. */
  goesOn?: boolean;
  applies(pair: Pair, parts: readonly string[]): boolean;
}

/** Which parts of two answers differ. */
export function differences({ ours, linux }: Pair): string[] {
  const parts: string[] = [];
  if (ours.syn !== linux.syn) parts.push(`syn (${ours.syn || 'none'} / ${linux.syn || 'none'})`);
  if (ours.reset !== linux.reset) {
    parts.push(`reset (${ours.reset || 'none'} / ${linux.reset || 'none'})`);
  }
  if (ours.fin !== linux.fin) parts.push(`FIN (${ours.fin} / ${linux.fin})`);
  if (ours.ack !== linux.ack) parts.push(`ack (${ours.ack} / ${linux.ack})`);
  if (ours.sent !== linux.sent) parts.push('sent');
  if (ours.segments > 0 !== linux.segments > 0) {
    parts.push(`answered (${ours.segments > 0} / ${linux.segments > 0})`);
  }
  return parts;
}

function packet({ step }: Taken): TcpStep | null {
  return step.op === 'tcp' ? step : null;
}

function hasFlags(taken: Taken, mask: number, value: number): boolean {
  const step = packet(taken);
  return step !== null && (step.flags & mask) === value;
}

function soFar(pair: Pair): Taken[] {
  return [...pair.before, pair];
}

function has(taken: Taken, change: string): boolean {
  return packet(taken)?.changes.some(([name]) => name === change) === true;
}

/** The timestamp is not of the peer's clock, or what it echoes is none of ours. */
function hasOddStamp(taken: Taken): boolean {
  const options = packet(taken)?.options ?? [];
  return options.some(([name, value, echo]) => name === 'ts' && (value !== 0 || echo !== 0));
}

const SYNCHRONIZED = /^(ESTABLISHED|FIN_WAIT|CLOS|LAST_ACK|TIME_WAIT)/;
const PEER_CLOSED = /^(CLOSE_WAIT|CLOSING|LAST_ACK|TIME_WAIT)/;
/** A window under which a sender may hold back. */
const SMALL_WINDOW = 3_000;

export const FREEDOMS: readonly Freedom[] = [
  {
    name: 'text on a SYN',
    reason:
      'RFC 9293 §3.10.7.2 has text that rides on a SYN kept until ESTABLISHED, as we do; Linux drops it unless both ends do TCP Fast Open, and acknowledges the SYN alone.',
    applies: (pair) =>
      soFar(pair).some((each) => hasFlags(each, SYN, SYN) && packet(each)!.len > 0),
  },
  {
    name: 'options of a SYN that crosses ours',
    reason:
      'In a simultaneous open our SYN,ACK has only the options that the peer offered (RFC 7323 §1.3); Linux sends its SYN again with all of its own.',
    applies: (pair, parts) =>
      pair.state === 'SYN_SENT' && hasFlags(pair, SYN | ACK, SYN) && parts[0]!.startsWith('syn'),
  },
  {
    name: 'edges of the window',
    reason:
      'Linux also takes as acceptable what ends at RCV.NXT or begins at the right edge (tcp_sequence), and looks at its ACK, window or RST; table 6 of RFC 9293 has neither in the window.',
    applies: (pair) =>
      soFar(pair).some(
        ({ place, state }) =>
          place !== null &&
          (state === 'SYN_RECEIVED' || SYNCHRONIZED.test(state)) &&
          ((place.end === 0 && place.first < 0) || place.first === place.window),
      ),
  },
  {
    name: 'text after the FIN of the peer',
    reason:
      'RFC 9293 §3.10.7.4 (seventh) has it ignored, and we acknowledge again what we have; Linux drops it without a word or aborts.',
    applies: (pair) =>
      PEER_CLOSED.test(pair.state) && packet(pair) !== null && packet(pair)!.len > 0,
  },
  {
    name: 'no timestamps',
    reason:
      'A segment without the timestamps that were agreed on is dropped (RFC 7323 §3.2, SHOULD); Linux takes it.',
    applies: (pair) => {
      const step = packet(pair);
      return (
        step !== null &&
        SYNCHRONIZED.test(pair.state) &&
        !step.options.some(([name]) => name === 'ts') &&
        soFar(pair).some(
          (each) => hasFlags(each, SYN, SYN) && packet(each)!.options.some(([n]) => n === 'ts'),
        )
      );
    },
  },
  {
    name: 'malformed options',
    reason:
      'An option that cannot be drops the segment (RFC 9293 MUST-7), and IP options are passed over (MUST-50); Linux takes segments up to the bad TCP option, and drops packets with bad IP options or a source route.',
    applies: (pair) =>
      soFar(pair).some(
        (each) =>
          has(each, 'ipopt') ||
          has(each, 'doff') ||
          has(each, 'byte') ||
          has(each, 'pad') ||
          has(each, 'cut') ||
          packet(each)?.options.some(([name]) => name === 'raw') === true,
      ),
  },
  {
    name: 'order of checks in SYN_RECEIVED',
    reason:
      'Linux verifies the ACK of an embryonic connection before its sequence number and timestamps, and so resets where RFC 9293 §3.10.7.4 acknowledges first.',
    applies: ({ state, linux, ours }) =>
      state === 'SYN_RECEIVED' && linux.reset !== '' && ours.reset === '',
  },
  {
    name: 'SYN in the window in SYN_RECEIVED',
    reason:
      'RFC 9293 §3.10.7.4 (fourth) returns a passive open to LISTEN; Linux resets it as well, or acknowledges.',
    applies: (pair) =>
      soFar(pair).some((each) => each.state === 'SYN_RECEIVED' && hasFlags(each, SYN, SYN)),
  },
  {
    name: 'echo that ends a handshake',
    reason:
      'When Linux has answered something out of the window in SYN_RECEIVED, it takes as the ACK of its SYN only what echoes the timestamp of the SYN,ACK and not that of the answer.',
    applies: (pair) =>
      soFar(pair).some(
        ({ state, place, ours }) =>
          state === 'SYN_RECEIVED' && place !== null && place.first !== 0 && ours.segments > 0,
      ) ||
      (pair.state === 'SYN_RECEIVED' && soFar(pair).some(hasOddStamp)),
  },
  {
    name: 'ACK of the ISS',
    reason:
      'We refuse an ACK of anything before the first octet (RFC 5961 §5.2); Linux counts the SYN of an active open, and a FIN, as octets that were acknowledged.',
    applies: (pair) => {
      const step = packet(pair);
      return step !== null && step.ackBase === 'i' && step.ack <= 0;
    },
  },
  {
    name: 'form of a reset',
    reason:
      'Text for a user who has gone is answered with RST,ACK by us and with RST by Linux; the peer takes both (RFC 9293 §3.10.7.4, second: only SEG.SEQ counts).',
    applies: ({ linux, ours }, parts) =>
      parts.every((part) => part.startsWith('reset') || part.startsWith('ack')) &&
      ours.reset.startsWith('RST') &&
      linux.reset.startsWith('RST') &&
      ours.reset.startsWith('RST ACK') !== linux.reset.startsWith('RST ACK'),
  },
  {
    name: 'small and shrinking windows',
    reason:
      'How much goes into a window of less than two segments, and when a window that is shut is probed and with what, is the choice of the sender (RFC 9293 §3.8.6); Linux heeds no smaller window under the same numbers.',
    applies: (pair, parts) =>
      parts.every((part) => /^(sent|answered|FIN)/.test(part)) &&
      soFar(pair).some((each) => packet(each) !== null && packet(each)!.win < SMALL_WINDOW),
  },
  {
    name: 'pace of a recovery',
    reason:
      'How much goes out after a duplicate or selective ACK follows from the congestion control and the detection of losses, which RFC 5681, RFC 6675 and RFC 8985 leave room for.',
    applies: (pair, parts) =>
      parts.every((part) => /^(sent|answered|FIN)/.test(part)) &&
      soFar(pair).some((each) => packet(each)?.ackBase === 'u' && each.ours.sent > 1),
  },
  {
    name: 'size of a flight',
    reason:
      'Both send, but not the same number of octets: writes that wait are joined by us (RFC 9293 §3.7.4, §3.9.1.2), and how a window that ends within a segment is filled is up to the sender.',
    applies: ({ ours, linux }, parts) =>
      parts.length === 1 && parts[0] === 'sent' && ours.segments > 0 && linux.segments > 0,
  },
  {
    name: 'echo on a SYN,ACK',
    reason: 'Linux resets a SYN,ACK whose TSecr is none that it has sent; we do not look at it.',
    applies: (pair) => pair.state === 'SYN_SENT' && hasOddStamp(pair),
  },
  {
    name: 'no ACK bit',
    reason:
      'Linux drops a segment without ACK, SYN and RST before it looks at the sequence number; RFC 9293 §3.10.7.4 has that first, and so an ACK in answer.',
    applies: (pair) => hasFlags(pair, ACK | SYN | RST, 0) && pair.linux.segments === 0,
  },
  {
    name: 'FIN beyond the congestion window',
    reason:
      'Linux holds back a FIN while as many segments are outstanding as cwnd allows; ours rides on the last segment or follows it.',
    applies: ({ ours, linux, before }) =>
      ours.fin && !linux.fin && (before.at(-1)?.ours.sent ?? 0) > 1,
  },
  {
    name: 'control bits that contradict each other',
    reason: "SYN with FIN or RST has no meaning to agree on: we take the bits in the RFC's order.",
    applies: (pair) =>
      soFar(pair).some((each) => {
        const flags = packet(each)?.flags ?? 0;
        return [FIN, SYN, RST].filter((bit) => (flags & bit) !== 0).length > 1;
      }),
  },
];
