import type { CountersSnapshot } from '../base/counters.js';
import { State, stateName } from '../tcp/state.js';
import type { Tcb } from '../tcp/tcb.js';

/** The sockets that the gauges tell of. */
export interface MeasuredSockets {
  listeners: number;
  /** Connections but those in TIME_WAIT. */
  tcbs: Iterable<Tcb>;
  timeWaits: number;
  orphans: number;
  /** Bytes that connections hold, as `maxMemory` counts them. */
  memory: number;
}

/** Each counter's metric, without `tuntcp_` and `_total`, and its HELP line. */
const COUNTERS: Readonly<
  Record<Exclude<keyof CountersSnapshot, 'drops'>, readonly [name: string, help: string]>
> = {
  ipInReceives: ['ip_packets_received', 'IPv4 packets that arrived, bad ones included.'],
  ipInDelivers: ['ip_datagrams_delivered', 'Datagrams handed to TCP or ICMP.'],
  ipOutRequests: ['ip_packets_sent', 'IPv4 packets handed to a link.'],
  ipOutDiscards: ['ip_packets_discarded', 'IPv4 packets that a link could not get rid of.'],
  ipInOctets: ['ip_received_bytes', 'Bytes of IPv4 packets that arrived, headers included.'],
  ipOutOctets: ['ip_sent_bytes', 'Bytes of IPv4 packets handed to a link, headers included.'],
  ipReasmReqds: ['ip_fragments_received', 'Fragments that arrived for reassembly.'],
  ipReasmOKs: ['ip_datagrams_reassembled', 'Datagrams put together from fragments.'],
  ipReasmFails: ['ip_reassembly_failures', 'Datagrams given up before they were complete.'],
  shardOutPackets: ['shard_packets_handed_over', 'Packets handed over to another shard.'],
  shardInPackets: ['shard_packets_taken_over', 'Packets that other shards have handed over.'],
  icmpInMsgs: ['icmp_messages_received', 'ICMP messages that arrived, bad ones included.'],
  icmpOutMsgs: ['icmp_messages_sent', 'ICMP messages sent.'],
  icmpInEchos: ['icmp_echo_requests_received', 'Echo requests that arrived.'],
  icmpOutEchoReps: ['icmp_echo_replies_sent', 'Echo replies sent.'],
  tcpActiveOpens: ['tcp_active_opens', 'Connections that went from CLOSED to SYN_SENT.'],
  tcpPassiveOpens: ['tcp_passive_opens', 'Connections that went from LISTEN to SYN_RECEIVED.'],
  tcpAttemptFails: ['tcp_attempt_failures', 'Handshakes that failed, on either side.'],
  tcpEstabResets: ['tcp_established_resets', 'Connections that a reset ended.'],
  tcpInSegs: ['tcp_segments_received', 'Segments that arrived, bad ones included.'],
  tcpOutSegs: ['tcp_segments_sent', 'Segments sent, without retransmitted ones.'],
  tcpRetransSegs: ['tcp_segments_retransmitted', 'Segments with retransmitted bytes.'],
  tcpInErrs: ['tcp_receive_errors', 'Segments dropped because they were malformed.'],
  tcpOutRsts: ['tcp_resets_sent', 'Segments sent with RST.'],
  tcpInCsumErrors: ['tcp_checksum_errors', 'Segments dropped because of their checksum.'],
  tcpListenOverflows: ['tcp_listen_overflows', 'Handshakes that found an accept queue full.'],
  tcpListenDrops: ['tcp_listen_drops', 'SYNs and last ACKs of handshakes dropped by a listener.'],
  tcpReqQFullDoCookies: ['tcp_syn_queue_full_cookies', 'SYNs beyond the backlog, sent a cookie.'],
  tcpReqQFullDrop: ['tcp_syn_queue_full_drops', 'SYNs beyond the backlog, dropped.'],
  tcpSyncookiesSent: ['tcp_syn_cookies_sent', 'SYN cookies sent (RFC 4987).'],
  tcpSyncookiesRecv: ['tcp_syn_cookies_received', 'SYN cookies that came back.'],
  tcpSyncookiesFailed: ['tcp_syn_cookies_failed', 'ACKs that acknowledged no SYN cookie.'],
  tcpChallengeAcks: ['tcp_challenge_acks_sent', 'Challenge ACKs sent (RFC 5961).'],
  tcpTimeouts: ['tcp_retransmission_timeouts', 'Retransmission timeouts (RFC 6298).'],
  tcpFastRetransmits: ['tcp_fast_retransmits', 'Retransmissions started by duplicate ACKs.'],
  tcpRenoRecovery: ['tcp_reno_recoveries', 'Fast recoveries entered without SACK (RFC 6582).'],
  tcpSackRecovery: ['tcp_sack_recoveries', 'Fast recoveries entered with SACK.'],
  tcpLossProbes: ['tcp_loss_probes_sent', 'Tail loss probes sent (RFC 8985).'],
  tcpLossProbeRecovery: ['tcp_loss_probe_recoveries', 'Losses that a tail loss probe repaired.'],
  tcpLostRetransmits: ['tcp_lost_retransmissions', 'Retransmissions found lost in their turn.'],
  tcpSpuriousRtos: ['tcp_spurious_timeouts', 'Retransmission timeouts that proved spurious.'],
  tcpFullUndo: ['tcp_timestamp_undos', 'Recoveries that a timestamp proved spurious (RFC 3522).'],
  tcpDsackUndo: ['tcp_dsack_undos', 'Recoveries that D-SACKs proved spurious (RFC 2883).'],
  tcpDsackRecv: ['tcp_dsacks_received', 'D-SACK blocks that arrived.'],
  tcpDsackSent: ['tcp_dsacks_sent', 'D-SACK blocks sent.'],
  tcpSackReorders: ['tcp_reorderings', 'Segments that arrived after later ones.'],
  tcpSackDiscards: ['tcp_sack_blocks_discarded', 'SACK blocks ignored: they cannot be true.'],
  tcpSackReneging: ['tcp_sack_reneging', 'Peers that discarded what they had SACKed.'],
  tcpWqueueTooBig: ['tcp_sack_blocks_refused', 'SACK blocks that would have cut too finely.'],
  tcpMtupSuccess: ['tcp_mtu_probes_arrived', 'Probes for a larger path MTU that arrived.'],
  tcpMtupFail: ['tcp_mtu_probes_lost', 'Probes for a larger path MTU that were lost.'],
  tcpInCeSegs: ['tcp_ce_segments_received', 'Segments with data that the network had marked.'],
  tcpEcnReductions: ['tcp_ecn_reductions', 'Windows lowered because a mark was echoed.'],
  tcpDelayedAcks: ['tcp_delayed_acks_sent', 'ACKs sent by the delayed-ACK timer.'],
  tcpKeepalives: ['tcp_keepalive_probes_sent', 'Keep-alive probes sent.'],
  tcpZeroWindowProbes: ['tcp_zero_window_probes_sent', 'Zero-window probes sent.'],
  tcpTimeWaitReused: ['tcp_time_wait_reused', 'TIME_WAITs ended by a new incarnation.'],
  tcpTimeWaitOverflows: ['tcp_time_wait_overflows', 'TIME_WAITs ended early for want of room.'],
  tcpAbortOnMemory: ['tcp_orphans_reset', 'Closed connections reset because of too many.'],
  tcpOfoDrop: ['tcp_out_of_order_drops', 'Segments out of order not kept for want of memory.'],
  tcpRcvQDrop: ['tcp_receive_queue_drops', 'Segments in order not kept for want of memory.'],
  tcpMemoryPressures: ['tcp_memory_pressures', 'Times that connections held too much memory.'],
};

/** Prometheus' text format, version 0.0.4; every line ends with a line feed. */
export function formatMetrics(counters: CountersSnapshot, sockets: MeasuredSockets): string {
  const lines: string[] = [];
  for (const [key, [name, help]] of Object.entries(COUNTERS)) {
    const metric = `tuntcp_${name}_total`;
    family(lines, metric, 'counter', help);
    lines.push(`${metric} ${counters[key as keyof typeof COUNTERS]}`);
  }
  family(lines, 'tuntcp_drops_total', 'counter', 'Packets that went no further, by reason.');
  for (const [reason, count] of Object.entries(counters.drops)) {
    lines.push(`tuntcp_drops_total{reason="${reason}"} ${count}`);
  }
  gauges(lines, sockets);
  return `${lines.join('\n')}\n`;
}

function gauges(lines: string[], sockets: MeasuredSockets): void {
  const { listeners, tcbs, timeWaits, orphans, memory } = sockets;
  const states = new Array<number>(State.TIME_WAIT + 1).fill(0);
  let unacknowledged = 0;
  let unread = 0;
  for (const tcb of tcbs) {
    states[tcb.state] = states[tcb.state]! + 1;
    unacknowledged += tcb.sendBuffer.length;
    unread += tcb.receiveQueue.length;
  }
  states[State.TIME_WAIT] = states[State.TIME_WAIT]! + timeWaits;
  family(lines, 'tuntcp_listeners', 'gauge', 'Sockets in LISTEN.');
  lines.push(`tuntcp_listeners ${listeners}`);
  family(lines, 'tuntcp_connections', 'gauge', 'Connections by state.');
  for (let state = State.SYN_SENT; state <= State.TIME_WAIT; state++) {
    const label = stateName(state).toLowerCase();
    lines.push(`tuntcp_connections{state="${label}"} ${states[state]!}`);
  }
  family(lines, 'tuntcp_send_buffered_bytes', 'gauge', 'Bytes written and not acknowledged.');
  lines.push(`tuntcp_send_buffered_bytes ${unacknowledged}`);
  family(lines, 'tuntcp_receive_buffered_bytes', 'gauge', 'Bytes received and not yet read.');
  lines.push(`tuntcp_receive_buffered_bytes ${unread}`);
  family(lines, 'tuntcp_orphans', 'gauge', 'Connections that their users closed, not over yet.');
  lines.push(`tuntcp_orphans ${orphans}`);
  family(lines, 'tuntcp_memory_bytes', 'gauge', 'Bytes in buffers, as maxMemory limits them.');
  lines.push(`tuntcp_memory_bytes ${memory}`);
}

function family(lines: string[], name: string, type: 'counter' | 'gauge', help: string): void {
  lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
}
