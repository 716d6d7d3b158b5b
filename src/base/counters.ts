/** What a host has done since it started; named after the MIB counters that Linux shows (RFC 4293, RFC 4022). */
export class Counters {
  /** IPv4 packets that arrived, bad ones included. */
  ipInReceives = 0;
  /** Datagrams handed to TCP or ICMP. */
  ipInDelivers = 0;
  /** IPv4 packets handed to a link. */
  ipOutRequests = 0;
  /** IPv4 packets that a link could not get rid of: it was full, down or closed. */
  ipOutDiscards = 0;
  // -0 is a double: a field that began as an integer would change the shape of the object.
  /** Bytes of IPv4 packets that arrived, headers included; a merged packet counts as it arrived. */
  ipInOctets = -0;
  /** Bytes of IPv4 packets handed to a link, headers included; one to be cut counts as it was handed. */
  ipOutOctets = -0;
  /** Fragments that arrived for reassembly. */
  ipReasmReqds = 0;
  /** Datagrams put together. */
  ipReasmOKs = 0;
  /** Datagrams given up before they were complete. */
  ipReasmFails = 0;

  /** Packets handed over to another shard; whoever looks at a packet counts it as one that arrived. */
  shardOutPackets = 0;
  /** Packets that other shards have handed over. */
  shardInPackets = 0;

  /** ICMP messages that arrived, bad ones included. */
  icmpInMsgs = 0;
  icmpOutMsgs = 0;
  /** Echo requests that arrived. */
  icmpInEchos = 0;
  /** Echo replies sent. */
  icmpOutEchoReps = 0;

  /** CLOSED to SYN_SENT. */
  tcpActiveOpens = 0;
  /** LISTEN to SYN_RECEIVED. */
  tcpPassiveOpens = 0;
  /** Handshakes that failed, on either side. */
  tcpAttemptFails = 0;
  /** ESTABLISHED or CLOSE_WAIT straight to CLOSED. */
  tcpEstabResets = 0;
  /** Segments that arrived, bad ones included; a merged one counts as what it was merged from. */
  tcpInSegs = 0;
  /** Segments sent, without those that carry only retransmitted bytes; cut by offload, as cut. */
  tcpOutSegs = 0;
  /** Segments with retransmitted bytes. */
  tcpRetransSegs = 0;
  /** Segments dropped because they were malformed. */
  tcpInErrs = 0;
  /** Segments sent with RST. */
  tcpOutRsts = 0;
  /** Segments dropped because their checksum was wrong. */
  tcpInCsumErrors = 0;
  /** SYNs, and ACKs that complete a handshake, that found the accept queue of a listener full. */
  tcpListenOverflows = 0;
  /** SYNs, and such ACKs, that a listener had to drop, for whatever reason. */
  tcpListenDrops = 0;
  /** SYNs that found too many connections in handshake, answered with a cookie, and dropped. */
  tcpReqQFullDoCookies = 0;
  tcpReqQFullDrop = 0;
  /** SYN cookies sent, acknowledged, and ACKs that acknowledge none where one could be (RFC 4987). */
  tcpSyncookiesSent = 0;
  tcpSyncookiesRecv = 0;
  tcpSyncookiesFailed = 0;
  /** Challenge ACKs sent (RFC 5961). */
  tcpChallengeAcks = 0;
  /** Retransmission timeouts. */
  tcpTimeouts = 0;
  /** Retransmissions started by duplicate ACKs (RFC 5681 §3.2). */
  tcpFastRetransmits = 0;
  /** Fast recoveries entered without SACK, and with it; Linux's TCPRenoRecovery and TCPSackRecovery. */
  tcpRenoRecovery = 0;
  tcpSackRecovery = 0;
  /** Tail loss probes sent, and losses that they repaired (RFC 8985 §7). */
  tcpLossProbes = 0;
  tcpLossProbeRecovery = 0;
  /** Retransmissions that RACK found lost in their turn. */
  tcpLostRetransmits = 0;
  /** Retransmission timeouts that proved spurious (RFC 5682, RFC 3522). */
  tcpSpuriousRtos = 0;
  /** Recoveries undone: by a timestamp (RFC 3522), by D-SACKs (RFC 2883). */
  tcpFullUndo = 0;
  tcpDsackUndo = 0;
  /** D-SACK blocks that arrived, and that were sent. */
  tcpDsackRecv = 0;
  tcpDsackSent = 0;
  /** Segments that arrived after later ones without having been retransmitted (RFC 8985 §6.2). */
  tcpSackReorders = 0;
  /** SACK blocks ignored because they cannot be true. */
  tcpSackDiscards = 0;
  /** Peers that discarded what they had SACKed (RFC 2018 §8). */
  tcpSackReneging = 0;
  /** SACK blocks not noted because they would have cut what is outstanding into too many pieces. */
  tcpWqueueTooBig = 0;
  /** Segments with data that the network had marked (CE, RFC 3168 §5). */
  tcpInCeSegs = 0;
  /** Times a window was lowered because the peer echoed a mark (RFC 3168 §6.1.2). */
  tcpEcnReductions = 0;
  /** Probes for a larger path MTU that have arrived, and that were lost (RFC 4821). */
  tcpMtupSuccess = 0;
  tcpMtupFail = 0;
  /** ACKs sent by the delayed-ACK timer. */
  tcpDelayedAcks = 0;
  /** Keep-alive probes sent. */
  tcpKeepalives = 0;
  /** Zero-window probes sent. */
  tcpZeroWindowProbes = 0;
  /** Connections in TIME_WAIT replaced by a new incarnation (RFC 6191). */
  tcpTimeWaitReused = 0;
  /** Connections whose TIME_WAIT ended early because there were too many. */
  tcpTimeWaitOverflows = 0;
  /** Connections that their user had closed, reset because there were too many. */
  tcpAbortOnMemory = 0;
  /** Segments out of order, and in order, not kept for want of memory; the sender has to send them again. */
  tcpOfoDrop = 0;
  tcpRcvQDrop = 0;
  /** Times that the connections of a host came to hold more memory than they may. */
  tcpMemoryPressures = 0;

  /** Packets dropped, by reason: `wire/drop-reason.ts` gives the index its meaning. */
  readonly drops: Float64Array;

  readonly #dropReasons: readonly string[];

  /** `dropReasons`: the name of each index of {@link drops}; the first one means "not dropped". */
  constructor(dropReasons: readonly string[]) {
    this.drops = new Float64Array(dropReasons.length);
    this.#dropReasons = dropReasons;
  }

  /** A copy, with the reasons for drops by name; all names are there, zeros included. */
  snapshot(): CountersSnapshot {
    const drops: Record<string, number> = {};
    for (let i = 1; i < this.drops.length; i++) drops[this.#dropReasons[i]!] = this.drops[i]!;
    // Adding 0 makes the -0 that they start from a 0.
    const ipInOctets = this.ipInOctets + 0;
    const ipOutOctets = this.ipOutOctets + 0;
    return { ...this, ipInOctets, ipOutOctets, drops };
  }

  countDrop(reason: number, packets = 1): void {
    this.drops[reason] = this.drops[reason]! + packets;
  }
}

type CounterName = {
  [K in keyof Counters]: Counters[K] extends number ? K : never;
}[keyof Counters];

/** What {@link Counters.snapshot} gives: numbers by name, and drops by reason. */
export interface CountersSnapshot extends Readonly<Record<CounterName, number>> {
  readonly drops: Readonly<Record<string, number>>;
}
