import { stateName } from '../../../src/tcp/state.js';
import type { SchedulePlay, SideState } from './play-schedule.js';
import type { Schedule, Side } from './schedule.js';

/** R2 at least (RFC 9293 §3.8.3, SHLD-11), and for a SYN (MUST-23); ms. */
const R2 = 100_000;
const R2_SYN = 180_000;
/** Two of the longest RTOs: so long after a path has healed a connection must have found out. */
const RECOVERS_IN = 240_000;

/**
 * Whether all went as it should. Whatever the path has done, each side has read a prefix of what the
 * other wrote, and has come to an end that the path and the other's user account for:
 *
 * - in order, with everything read that the other wrote;
 * - ETIMEDOUT, when for R2 or longer nothing came through in one direction, or only what is short, or
 *   nothing new was acknowledged on a path that loses packets by chance or by rule;
 * - ECONNRESET, when the other has aborted, closed without reading on, given up before, or when the
 *   ACK of the last FIN took longer than the other's TIME-WAIT.
 *
 * Null, or what is wrong.
 */
export function judge(play: SchedulePlay): string | null {
  const { a, b } = play.sides;
  return (
    judgeBytes('a', a, b) ??
    judgeBytes('b', b, a) ??
    judgeHanging(play) ??
    judgeEnd('a', a, b, play) ??
    judgeEnd('b', b, a, play) ??
    (play.accepted > 1 ? `B has accepted ${play.accepted} connections` : null)
  );
}

function judgeBytes(name: Side, reader: SideState, writer: SideState): string | null {
  const { received, wrongAt } = reader.end;
  const { written } = writer.end;
  if (wrongAt >= 0) return `${name} has read a wrong byte at ${wrongAt}`;
  if (received > written) return `${name} has read ${received} bytes of ${written}`;
  return null;
}

function judgeHanging(play: SchedulePlay): string | null {
  for (const side of ['a', 'b'] as const) {
    const { end, left, station } = play.sides[side];
    const states = [...station.host.tcbs()].map((tcb) => stateName(tcb.state));
    if (states.length > 0) return `${side} still is in ${states} after ${play.now} ms`;
    const wasConnected = side === 'a' || play.accepted > 0;
    if (wasConnected && left === null && end.error === undefined) {
      return `the user of ${side} was not told of the end`;
    }
  }
  return null;
}

function judgeEnd(
  name: Side,
  side: SideState,
  other: SideState,
  play: SchedulePlay,
): string | null {
  const { error, closedAt, establishedAt } = side.end;
  if (error === undefined || side.left !== null) return null;
  switch (error) {
    case null:
      return judgeOrderlyEnd(name, side, other);
    case 'ETIMEDOUT': {
      const isSyn = establishedAt < 0;
      const quiet = closedAt - (isSyn ? 0 : side.quietSince);
      if (quiet >= (isSyn ? R2_SYN : R2) || mayLoseLongPackets(play.schedule)) return null;
      const stuck = closedAt - side.station.watch.ackedAt;
      if (!isSyn && stuck >= R2 && losesOneByOne(play.schedule, closedAt)) return null;
      return `${name} timed out at ${closedAt} ms, after only ${quiet} ms of silence`;
    }
    case 'ECONNRESET':
      if (other.left !== null || other.end.error != null) return null;
      // B gave up on the handshake that A had taken for complete.
      if (name === 'a' && play.accepted === 0) return null;
      // The other's TIME-WAIT was over before the ACK of our FIN came through. That all was read is
      // not known here, so the user is told, as by Linux; §3.10.7.4 leaves it open in LAST-ACK.
      if (other.end.error === null && side.end.ended && side.end.finishedAt < 0) return null;
      return `${name} was reset at ${closedAt} ms for no reason`;
    default:
      return `${name} ended with ${error} at ${closedAt} ms`;
  }
}

function judgeOrderlyEnd(name: Side, side: SideState, other: SideState): string | null {
  if (!side.end.ended) return `${name} was closed in order without the other's end`;
  const { received } = side.end;
  const { written } = other.end;
  if (received !== written) return `${name} ended in order with ${received} of ${written} bytes`;
  // After a reset in LAST-ACK nobody is told of what the other did not read (§3.10.7.4).
  if (other.left !== null || other.end.error !== null) return null;
  if (other.end.received === side.end.written) return null;
  return `${name} ended in order, and only ${other.end.received} of its ${side.end.written} bytes were read`;
}

/** Packets beyond some size may be lost without a word. */
function mayLoseLongPackets({ up, down, changes }: Schedule): boolean {
  const states = [up, down, ...changes.map((change) => change.faults)];
  const isSmall = states.some((faults) => (faults.mtu ?? 65_535) < 65_535);
  return isSmall && states.some((faults) => faults.icmp === false);
}

/** Packets are lost one by one, so that with bad luck, or by rule, those of one segment all are. */
function losesOneByOne(schedule: Schedule, at: number): boolean {
  const { up, down, changes, healsAt, rules } = schedule;
  // Rules do not heal.
  if (rules.some(({ action = 'drop' }) => action === 'drop' || action === 'corrupt')) return true;
  if (healsAt !== null && at > healsAt + RECOVERS_IN) return false;
  const states = [up, down, ...changes.map((change) => change.faults)];
  return states.some(({ loss, corrupt, burstLoss }) => loss || corrupt || burstLoss);
}
