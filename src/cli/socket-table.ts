import type { ConnectionInfo, SocketInfo, TimerInfo } from '../stack/connection.js';
import type { StateName } from '../tcp/state.js';

/** What `ss` of Linux calls the states. */
const STATES: Readonly<Record<StateName, string>> = {
  CLOSED: 'UNCONN',
  LISTEN: 'LISTEN',
  SYN_SENT: 'SYN-SENT',
  SYN_RECEIVED: 'SYN-RECV',
  ESTABLISHED: 'ESTAB',
  FIN_WAIT_1: 'FIN-WAIT-1',
  FIN_WAIT_2: 'FIN-WAIT-2',
  CLOSE_WAIT: 'CLOSE-WAIT',
  CLOSING: 'CLOSING',
  LAST_ACK: 'LAST-ACK',
  TIME_WAIT: 'TIME-WAIT',
};

export function shortState(state: StateName): string {
  return STATES[state];
}

/** A row of cells; the addresses are split so that the colons can stand below each other. */
export interface SocketRow {
  state: string;
  recvQ: string;
  sendQ: string;
  local: readonly [address: string, port: string];
  peer: readonly [address: string, port: string];
}

/** For a listener Recv-Q are the connections that wait, and Send-Q is the most that may. */
export function socketRow(socket: SocketInfo): SocketRow {
  const state = shortState(socket.state);
  const local = [socket.localAddress, String(socket.localPort)] as const;
  if (socket.kind === 'listener') {
    const { pending, backlog } = socket;
    const peer = ['0.0.0.0', '*'] as const;
    return { state, recvQ: String(pending), sendQ: String(backlog), local, peer };
  }
  const peer = [socket.remoteAddress, String(socket.remotePort)] as const;
  if (socket.kind === 'timeWait') return { state, recvQ: '0', sendQ: '0', local, peer };
  const { receiveBuffered, sendBuffered } = socket;
  return { state, recvQ: String(receiveBuffered), sendQ: String(sendBuffered), local, peer };
}

const HEADER: SocketRow = {
  state: 'State',
  recvQ: 'Recv-Q',
  sendQ: 'Send-Q',
  local: ['Local Address', 'Port'],
  peer: ['Peer Address', 'Port'],
};

/** Lines as `ss -tan` of Linux has them, the heading first; all are equally long. */
export function socketTable(sockets: readonly SocketInfo[]): string[] {
  const rows = [HEADER, ...sockets.map(socketRow)];
  const widest = (cell: (row: SocketRow) => string) =>
    rows.reduce((width, row) => Math.max(width, cell(row).length), 0);
  const state = widest((row) => row.state);
  const recvQ = widest((row) => row.recvQ);
  const sendQ = widest((row) => row.sendQ);
  const ends = (['local', 'peer'] as const).map((end) => ({
    end,
    address: widest((row) => row[end][0]),
    port: widest((row) => row[end][1]),
  }));
  return rows.map((row) =>
    [
      row.state.padEnd(state),
      row.recvQ.padEnd(recvQ),
      row.sendQ.padEnd(sendQ),
      ...ends.map(
        ({ end, address, port }) => `${row[end][0].padStart(address)}:${row[end][1].padEnd(port)}`,
      ),
    ].join(' '),
  );
}

/** What `ss -ti` adds, in its words where it has them; windows and buffers are in bytes. */
export function detailLine(socket: SocketInfo): string {
  const words = socket.kind === 'connection' ? connectionWords(socket) : [];
  const timers = socket.kind === 'listener' ? [] : socket.timers;
  const backoff = socket.kind === 'connection' ? socket.backoff : 0;
  return [...words, ...timers.map((timer) => timerWord(timer, backoff))].join(' ');
}

function connectionWords(info: ConnectionInfo): string[] {
  const scales = info.sndWindowScale !== 0 || info.rcvWindowScale !== 0;
  const words: (string | false)[] = [
    info.timestamps && 'ts',
    info.sack && 'sack',
    info.ecn && 'ecn',
    info.ecnSeen && 'ecnseen',
    info.congestionControl,
    scales && `wscale:${info.sndWindowScale},${info.rcvWindowScale}`,
    `rto:${decimal(info.rto)}`,
    info.srtt !== null && `rtt:${decimal(info.srtt)}/${decimal(info.rttvar ?? 0)}`,
    `mss:${info.sndMss}`,
    `pmtu:${info.pathMtu}`,
    // As the kernel counts it, in segments.
    `cwnd:${Math.round(info.cwnd / info.sndMss)}`,
    info.ssthresh < 0x7fffffff && `ssthresh:${Math.round(info.ssthresh / info.sndMss)}`,
    ...positive([
      ['bytes_sent', info.bytesSent],
      ['bytes_retrans', info.bytesRetransmitted],
      ['bytes_acked', info.bytesAcked],
      ['bytes_received', info.bytesReceived],
      ['segs_out', info.segmentsSent],
      ['segs_in', info.segmentsReceived],
    ]),
    congestionWord(info),
    info.srtt !== null && `send ${bitRate((info.cwnd * 8000) / info.srtt)}`,
    info.lastSent !== null && `lastsnd:${Math.round(info.lastSent)}`,
    info.lastReceived !== null && `lastrcv:${Math.round(info.lastReceived)}`,
    info.pacingRate > 0 && `pacing_rate ${bitRate(info.pacingRate * 8)}`,
    info.deliveryRate > 0 && `delivery_rate ${bitRate(info.deliveryRate * 8)}`,
    ...positive([
      ['unacked', Math.ceil(info.flight / info.sndMss)],
      ['retrans', info.retransmits],
      ['dupacks', info.duplicateAcks],
      ['sacked', Math.ceil(info.sacked / info.sndMss)],
      ['lost', Math.ceil(info.lost / info.sndMss)],
      ['reord_seen', info.reorderings],
      ['dsack_dups', info.dsacks],
    ]),
    info.minRtt !== null && `minrtt:${decimal(info.minRtt)}`,
    info.recovery !== 'open' && `recovery:${info.recovery}`,
    info.outOfOrder > 0 && `ooo_bytes:${info.outOfOrder}`,
    `rcv_space:${info.receiveSpace}`,
    `rcv_ssthresh:${info.receiveBufferSize}`,
    `rcv_wnd:${info.rcvWnd}`,
    `snd_wnd:${info.sndWnd}`,
    info.noDelay && 'nodelay',
    info.orphaned && 'orphaned',
  ];
  return words.filter((word) => word !== false);
}

/** `bbr:(bw:12.4Mbps,mrtt:40.1,...)`, as `ss` has it for what it knows; by name what it does not. */
function congestionWord({
  congestionControl,
  congestionInfo: info,
}: ConnectionInfo): string | false {
  if (info === null) return false;
  const words = Object.entries(info).map(([name, value]) => {
    if (name === 'bw' && typeof value === 'number') return `bw:${bitRate(value * 8)}`;
    // The kernel's `pacing_gain` is our `pacingGain`.
    const word = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return `${word}:${typeof value === 'number' ? decimal(value) : value}`;
  });
  return `${congestionControl}:(${words.join(',')})`;
}

function positive(counts: readonly (readonly [string, number])[]): string[] {
  return counts.filter(([, count]) => count > 0).map(([name, count]) => `${name}:${count}`);
}

const TIMERS: Readonly<Record<TimerInfo['name'], string>> = {
  retransmit: 'retransmit',
  persist: 'persist',
  reorder: 'reorder',
  probe: 'probe',
  delayedAck: 'delayed-ack',
  keepAlive: 'keepalive',
  finWait2: 'fin-wait-2',
  pacing: 'pacing',
  timeWait: 'timewait',
};

function timerWord({ name, remaining }: TimerInfo, backoff: number): string {
  const count = name === 'retransmit' || name === 'persist' ? `,${backoff}` : '';
  return `timer:(${TIMERS[name]},${duration(remaining)}${count})`;
}

/** `1min59sec`, `119min`, `12sec`, `198ms`. */
function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${seconds}sec`;
  return minutes > 9 || seconds % 60 === 0 ? `${minutes}min` : `${minutes}min${seconds % 60}sec`;
}

/** At most three places. */
function decimal(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}

const RATES = ['bps', 'Kbps', 'Mbps', 'Gbps', 'Tbps'];

/** `926Mbps` with three digits; powers of 1000. */
export function bitRate(bitsPerSecond: number): string {
  let value = bitsPerSecond;
  let unit = 0;
  while (value >= 999.5 && unit < RATES.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(3))}${RATES[unit]}`;
}
