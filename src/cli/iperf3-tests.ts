import type { TestEnd } from '../services/iperf3.js';
import { bothEnds, byteText, rateText, totals } from '../services/iperf3.js';

/** One line about a test that our server has seen the end of. */
export function describeTest(end: TestEnd): string {
  const peer = `${end.remoteAddress}:${end.remotePort}`;
  if (end.error !== null || end.summary === null) {
    return `${peer} gave up: ${end.error?.message ?? 'it never began'}`;
  }
  const ends = bothEnds(end.summary);
  const sides = [false, true].flatMap((sends) => {
    const side = ends.filter(({ stream }) => stream.sends === sends);
    if (side.length === 0) return [];
    const { sent, received } = totals(side);
    const bytes = byteText(received.bytes).trim();
    const rate = rateText((received.bytes * 8) / (received.end || 1)).trim();
    const again = sent.retransmits === null ? '' : `, ${sent.retransmits} retransmits`;
    return [`${sends ? 'down' : 'up'} ${bytes} at ${rate}${again}`];
  });
  return `${peer} ${sides.join(', ')}`;
}

/** The same for programs, with what our TCP knows of each stream. */
export function testAsJson({ remoteAddress, remotePort, error, summary }: TestEnd): object {
  const streams = summary === null ? [] : bothEnds(summary);
  return {
    remoteAddress,
    remotePort,
    error: error?.message ?? null,
    seconds: summary?.seconds ?? 0,
    streams: streams.map(({ stream, sent, received, extremes }) => {
      const tcp = stream.figures();
      return {
        id: stream.id,
        sender: stream.sends,
        sent: sent.bytes,
        received: received.bytes,
        retransmits: sent.retransmits,
        ...(tcp !== null && { cwnd: tcp.cwnd, rtt: tcp.rtt, rttvar: tcp.rttvar }),
        ...(stream.sends && { maxCwnd: extremes.maxCwnd, maxRtt: extremes.maxRtt }),
      };
    }),
  };
}
