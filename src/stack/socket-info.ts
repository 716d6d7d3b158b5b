import { toUint32 } from '../base/seq.js';
import { receiveWindow } from '../tcp/receiver.js';
import { stateName } from '../tcp/state.js';
import { type LossDetection, Recovery, type Tcb } from '../tcp/tcb.js';
import type { TimeWait } from '../tcp/time-wait.js';
import { lossTimerName } from '../tcp/timers.js';
import { formatAddress, IPV4_HEADER_BYTES } from '../wire/ipv4.js';
import { TCP_HEADER_BYTES } from '../wire/tcp.js';
import type { ConnectionInfo, ListenerInfo, TimerInfo, TimeWaitInfo } from './connection.js';
import type { HostListener } from './listener.js';

export function connectionInfo(tcb: Tcb, now: number): ConnectionInfo {
  return {
    kind: 'connection',
    state: stateName(tcb.state),
    localAddress: formatAddress(tcb.localAddr),
    localPort: tcb.localPort,
    remoteAddress: formatAddress(tcb.remoteAddr),
    remotePort: tcb.remotePort,
    iss: toUint32(tcb.iss),
    irs: toUint32(tcb.irs),
    sndUna: toUint32(tcb.sndUna),
    sndNxt: toUint32(tcb.sndNxt),
    sndWnd: tcb.sndWnd,
    rcvNxt: toUint32(tcb.rcvNxt),
    rcvWnd: receiveWindow(tcb),
    sndMss: tcb.sndMss,
    pathMtu: tcb.pathMss + IPV4_HEADER_BYTES + TCP_HEADER_BYTES,
    sendBufferSize: Math.max(tcb.sendBuffer.limit, tcb.host.config.sendBuffer),
    receiveBufferSize: tcb.rcvBufferLimit,
    receiveSpace: tcb.autotune.space,
    sndWindowScale: tcb.sndWindowShift,
    rcvWindowScale: tcb.windowScaleOk ? tcb.rcvWindowShift : 0,
    timestamps: tcb.timestampsOk,
    sack: tcb.sackOk,
    srtt: tcb.srtt === 0 ? null : tcb.srtt,
    rttvar: tcb.srtt === 0 ? null : tcb.rttvar,
    minRtt: tcb.minRtt === 0 ? null : tcb.minRtt,
    rto: tcb.rto,
    cwnd: tcb.cwnd,
    ssthresh: tcb.ssthresh,
    congestionControl: tcb.congestion.name,
    congestionInfo: tcb.congestion.info?.(tcb) ?? null,
    pacingRate: Math.round(tcb.pacingRate * 1_000) + 0,
    ecn: tcb.ecnOk,
    ecnSeen: tcb.ecn.seen,
    // Adding 0 makes the -0 that they start from a 0.
    bytesSent: tcb.delivery.bytesSent + 0,
    bytesRetransmitted: tcb.delivery.bytesRetransmitted + 0,
    bytesAcked: tcb.bytesAcked + 0,
    bytesReceived: tcb.bytesReceived + 0,
    deliveryRate: tcb.delivery.rate + 0,
    segmentsSent: tcb.segmentsSent,
    segmentsReceived: tcb.segmentsReceived,
    retransmits: tcb.retransmitted,
    backoff: tcb.retransmits,
    duplicateAcks: tcb.dupAcks,
    lossDetection: LOSS_DETECTION[tcb.lossDetection],
    sacked: tcb.sent.sacked,
    lost: tcb.sent.lost,
    reorderings: tcb.rack.reorderings,
    dsacks: tcb.rack.dsacks,
    recovery: recoveryName(tcb.recovery),
    flight: tcb.flight,
    sendBuffered: tcb.sendBuffer.length,
    receiveBuffered: tcb.receiveQueue.length,
    outOfOrder: tcb.reassembly.length,
    noDelay: tcb.noDelay,
    orphaned: tcb.orphan !== null,
    lastSent: tcb.hasSent ? now - tcb.delivery.sentAt : null,
    lastReceived: tcb.segmentsReceived === 0 ? null : now - tcb.heardAt,
    timers: timersOf(tcb, now),
  };
}

const LOSS_DETECTION: Readonly<Record<LossDetection, ConnectionInfo['lossDetection']>> = [
  'newreno',
  'sack',
  'rack',
];

function recoveryName(recovery: Recovery): ConnectionInfo['recovery'] {
  if (recovery === Recovery.OPEN) return 'open';
  return recovery === Recovery.FAST ? 'fast' : 'loss';
}

function timersOf(tcb: Tcb, now: number): TimerInfo[] {
  const deadlines: [TimerInfo['name'], number][] = [
    [lossTimerName(tcb.lossTimer), tcb.retransmitAt],
    ['delayedAck', tcb.delayedAckAt],
    ['keepAlive', tcb.keepAlive.at],
    ['finWait2', tcb.orphan?.finWait2At ?? Infinity],
    ['pacing', tcb.pacing.at],
  ];
  return deadlines
    .filter(([, at]) => at !== Infinity)
    .sort(([, a], [, b]) => a - b)
    .map(([name, at]) => timer(name, at, now));
}

function timer(name: TimerInfo['name'], at: number, now: number): TimerInfo {
  return { name, remaining: Math.max(0, at - now) };
}

export function listenerInfo(listener: HostListener): ListenerInfo {
  return {
    kind: 'listener',
    state: 'LISTEN',
    localAddress: listener.address,
    localPort: listener.port,
    pending: listener.halfOpen.size + listener.acceptQueueLength,
    backlog: listener.backlog.complete,
  };
}

export function timeWaitInfo(record: TimeWait, now: number): TimeWaitInfo {
  return {
    kind: 'timeWait',
    state: 'TIME_WAIT',
    localAddress: formatAddress(record.localAddr),
    localPort: record.localPort,
    remoteAddress: formatAddress(record.remoteAddr),
    remotePort: record.remotePort,
    sndNxt: toUint32(record.sndNxt),
    rcvNxt: toUint32(record.rcvNxt),
    timers: [timer('timeWait', record.expires, now)],
  };
}
