import type { SocketInfo } from '../stack/connection.js';
import type { Identity } from './control/protocol.js';
import type { Rates } from './rates.js';
import { bitRate, shortState, socketRow } from './socket-table.js';

export interface ScreenSize {
  columns: number;
  rows: number;
}

const BARS = '▁▂▃▄▅▆▇█';
/** `in   999Mbps 999999 packets/s `. */
const LABEL = 33;

/** The latest `width` values as bars, the highest of them a full one; short histories stay right. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(Math.max(0, values.length - width));
  const highest = Math.max(...shown, 0);
  const bars = shown.map((value) => {
    if (highest === 0) return BARS[0];
    return BARS[Math.min(BARS.length - 1, Math.floor((value / highest) * BARS.length))];
  });
  return bars.join('').padStart(width);
}

/**
 * The screen of `tuntcp top` as lines that fit: `history` are the rates so far, the latest last (at
 * least one), `sockets` what there is now. No control sequences.
 */
export function topLines(
  identity: Identity,
  history: readonly Rates[],
  sockets: readonly SocketInfo[],
  { columns, rows }: ScreenSize,
): string[] {
  const now = history.at(-1)!;
  const bars = Math.max(0, columns - LABEL);
  const flow = (name: string, bytes: number, packets: number, values: number[]) =>
    `${name.padEnd(4)}${bitRate(bytes * 8).padStart(8)} ${Math.round(packets).toString().padStart(8)} packets/s `.padEnd(
      LABEL,
    ) + sparkline(values, bars);
  const head = [
    `${identity.device}  ${identity.address}  process ${identity.pid}`,
    flow(
      'in',
      now.bytesIn,
      now.packetsIn,
      history.map((rates) => rates.bytesIn),
    ),
    flow(
      'out',
      now.bytesOut,
      now.packetsOut,
      history.map((rates) => rates.bytesOut),
    ),
    `retransmitted ${perSecond(now.retransmits)}  dropped ${perSecond(now.drops)}  ${census(sockets)}`,
    '',
  ];
  const table = connectionTable(now, Math.max(0, rows - head.length - 1));
  return [...head, ...table].map((line) => line.slice(0, columns).trimEnd());
}

function perSecond(rate: number): string {
  return `${Math.round(rate)}/s`;
}

/** `12 ESTAB, 3 TIME-WAIT, 5 LISTEN`. */
function census(sockets: readonly SocketInfo[]): string {
  const counts = new Map<string, number>();
  for (const { state } of sockets) {
    counts.set(shortState(state), (counts.get(shortState(state)) ?? 0) + 1);
  }
  const parts = [...counts].map(([state, count]) => `${count} ${state}`);
  return parts.length === 0 ? 'no sockets' : parts.join(', ');
}

const COLUMNS = ['State', 'Local', 'Peer', 'In', 'Out', 'RTT', 'Cwnd', 'Retrans', 'Send-Q'];
/** The first three are text. */
const LEFT = 3;

function connectionTable({ connections }: Rates, limit: number): string[] {
  const cells = connections.slice(0, limit).map(({ info, in: received, out }) => {
    const row = socketRow(info);
    return [
      row.state,
      row.local.join(':'),
      row.peer.join(':'),
      bitRate(received * 8),
      bitRate(out * 8),
      info.srtt === null ? '-' : `${info.srtt.toFixed(info.srtt < 10 ? 2 : 0)}ms`,
      String(Math.round(info.cwnd / info.sndMss)),
      String(info.retransmits),
      row.sendQ,
    ];
  });
  const table = [COLUMNS, ...cells];
  const widths = COLUMNS.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  return table.map((row) =>
    row
      .map((cell, i) => (i < LEFT ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  '),
  );
}
