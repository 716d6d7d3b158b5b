import type { CountersSnapshot } from '../base/counters.js';

type CounterName = Exclude<keyof CountersSnapshot, 'drops'>;

/** Each counter in the words of `netstat -s`, where it has them. */
const SECTIONS: readonly (readonly [string, Readonly<Partial<Record<CounterName, string>>>])[] = [
  [
    'Ip',
    {
      ipInReceives: 'total packets received',
      ipInDelivers: 'incoming packets delivered',
      ipOutRequests: 'requests sent out',
      ipOutDiscards: 'outgoing packets dropped',
      ipInOctets: 'bytes received',
      ipOutOctets: 'bytes sent out',
      ipReasmReqds: 'reassemblies required',
      ipReasmOKs: 'packets reassembled ok',
      ipReasmFails: 'packet reassemblies failed',
    },
  ],
  [
    'Icmp',
    {
      icmpInMsgs: 'ICMP messages received',
      icmpInEchos: 'echo requests',
      icmpOutMsgs: 'ICMP messages sent',
      icmpOutEchoReps: 'echo replies',
    },
  ],
  [
    'Tcp',
    {
      tcpActiveOpens: 'active connection openings',
      tcpPassiveOpens: 'passive connection openings',
      tcpAttemptFails: 'failed connection attempts',
      tcpEstabResets: 'connection resets received',
      tcpInSegs: 'segments received',
      tcpOutSegs: 'segments sent out',
      tcpRetransSegs: 'segments retransmitted',
      tcpInErrs: 'bad segments received',
      tcpOutRsts: 'resets sent',
    },
  ],
];

/** As `netstat -s` has them: only those that are not zero. */
const EXTENSIONS: Readonly<Partial<Record<CounterName, string>>> = {
  shardOutPackets: 'packets handed over to another worker',
  shardInPackets: 'packets that other workers have handed over',
  tcpInCsumErrors: 'segments with a wrong checksum',
  tcpListenOverflows: 'times the listen queue of a socket overflowed',
  tcpListenDrops: 'SYNs to LISTEN sockets dropped',
  tcpReqQFullDoCookies: 'SYNs answered with a cookie because too many were in handshake',
  tcpReqQFullDrop: 'SYNs dropped because too many were in handshake',
  tcpSyncookiesSent: 'SYN cookies sent',
  tcpSyncookiesRecv: 'SYN cookies received',
  tcpSyncookiesFailed: 'invalid SYN cookies received',
  tcpChallengeAcks: 'challenge ACKs sent',
  tcpTimeouts: 'retransmission timeouts',
  tcpFastRetransmits: 'fast retransmits',
  tcpRenoRecovery: 'fast recoveries without SACK',
  tcpSackRecovery: 'fast recoveries with SACK',
  tcpLossProbes: 'tail loss probes sent',
  tcpLossProbeRecovery: 'losses repaired by a tail loss probe',
  tcpLostRetransmits: 'retransmissions lost',
  tcpSpuriousRtos: 'spurious retransmission timeouts',
  tcpFullUndo: 'recoveries undone by a timestamp',
  tcpDsackUndo: 'recoveries undone by DSACKs',
  tcpDsackRecv: 'DSACKs received',
  tcpDsackSent: 'DSACKs sent',
  tcpSackReorders: 'segments arrived out of order at the peer',
  tcpSackDiscards: 'SACK blocks that cannot be true',
  tcpSackReneging: 'peers that discarded what they had SACKed',
  tcpWqueueTooBig: 'SACK blocks refused because they cut too finely',
  tcpMtupSuccess: 'probes for a larger path MTU arrived',
  tcpMtupFail: 'probes for a larger path MTU lost',
  tcpInCeSegs: 'segments received with congestion marks',
  tcpEcnReductions: 'windows lowered by congestion marks',
  tcpDelayedAcks: 'delayed acks sent',
  tcpKeepalives: 'keep-alive probes sent',
  tcpZeroWindowProbes: 'zero-window probes sent',
  tcpTimeWaitReused: 'time wait sockets reused by a new incarnation',
  tcpTimeWaitOverflows: 'time wait sockets ended early for want of room',
  tcpAbortOnMemory: 'connections aborted due to memory pressure',
  tcpOfoDrop: 'packets out of order dropped for want of memory',
  tcpRcvQDrop: 'packets in order dropped for want of memory',
  tcpMemoryPressures: 'times that connections held too much memory',
};

/** Lines in the manner of `netstat -s`; a section `Drops` has the reasons that have occurred. */
export function statisticsLines(counters: CountersSnapshot): string[] {
  const lines: string[] = [];
  const section = (name: string, entries: (readonly [string, number])[]) => {
    if (entries.length === 0) return;
    lines.push(`${name}:`, ...entries.map(([words, count]) => `    ${count} ${words}`));
  };
  const counted = (names: Readonly<Partial<Record<CounterName, string>>>) =>
    Object.entries(names).map(([name, words]) => [words, counters[name as CounterName]] as const);
  for (const [name, names] of SECTIONS) section(name, counted(names));
  section(
    'TcpExt',
    counted(EXTENSIONS).filter(([, count]) => count > 0),
  );
  section(
    'Drops',
    Object.entries(counters.drops).filter(([, count]) => count > 0),
  );
  return lines;
}
