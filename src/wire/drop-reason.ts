/** Why a packet went no further. Each is counted in `Counters.drops` under its {@link dropName}. */
export const enum Drop {
  /** Not dropped here: another shard may know of it. */
  ELSEWHERE = -1,
  NONE = 0,

  /** Shorter than an IPv4 header. */
  IP_SHORT,
  IP_VERSION,
  /** A header length below 20 bytes or beyond the packet. */
  IP_HEADER_LENGTH,
  /** A total length below the header's or beyond what arrived. */
  IP_TOTAL_LENGTH,
  IP_CHECKSUM,
  /** Addressed to no address of this host. */
  IP_NOT_OURS,
  /** A source that no host may have: broadcast, multicast, or loopback from outside. */
  IP_BAD_SOURCE,
  /** A protocol that nobody here speaks. */
  IP_PROTOCOL,
  IP_TTL,

  /** Shares bytes with another fragment of its datagram; the whole datagram is given up. */
  FRAGMENT_OVERLAP,
  /** A datagram was not complete in time. */
  FRAGMENT_TIMEOUT,
  /** No room for another fragment or datagram. */
  FRAGMENT_LIMIT,
  /** Reaches beyond 65,535 bytes, the longest datagram there is. */
  FRAGMENT_TOO_LONG,
  /** Empty, or not the last one and not a multiple of 8 bytes. */
  FRAGMENT_LENGTH,
  /** Lies beyond the end of its datagram, or gives it another end. */
  FRAGMENT_END,

  /** Shorter than a TCP header. */
  TCP_SHORT,
  /** A header length below 20 bytes or beyond the segment. */
  TCP_DATA_OFFSET,
  TCP_CHECKSUM,
  /** An option whose length is below 2 or reaches beyond the header (RFC 9293 MUST-7). */
  TCP_OPTION_LENGTH,
  /** For no connection and no listener. */
  TCP_NO_CONNECTION,
  /** A port of 0. */
  TCP_BAD_ADDRESS,
  /** Wholly outside the receive window. */
  TCP_UNACCEPTABLE_SEQ,
  /** Acknowledges what was never sent, or is too old (RFC 5961 §5). */
  TCP_BAD_ACK,
  /** An old timestamp (RFC 7323 §5). */
  TCP_PAWS,
  /** No ACK bit where one is needed. */
  TCP_NO_ACK_BIT,
  /** A reset that fails its checks (RFC 5961 §3). */
  TCP_BAD_RST,
  /** Answered with a challenge ACK (RFC 5961). */
  TCP_CHALLENGE,
  /** Too many connections of the listener are in handshake. */
  TCP_BACKLOG_FULL,
  /** Too many connections of the listener wait to be accepted. */
  TCP_ACCEPT_QUEUE_FULL,
  /** A SYN, with as many connections there as the host may have. */
  TCP_TOO_MANY_CONNECTIONS,
  /** Control bits that contradict each other. */
  TCP_BAD_FLAGS,

  /** Shorter than an ICMP header. */
  ICMP_SHORT,
  ICMP_CHECKSUM,
  /** An error that quotes too little, or nothing of ours. */
  ICMP_UNQUOTED,
  /** A type that nobody here handles. */
  ICMP_TYPE,

  /** On its way out, to where no link leads. */
  TX_NO_ROUTE,

  /** For another shard, where too many wait already. */
  SHARD_QUEUE_FULL,
  /** By way of another shard, behind the end of its connection, which it had no more to tell. */
  SHARD_OVERTAKEN,
}

/** The name of each {@link Drop}, in order; `new Counters(DROP_REASONS)`. */
export const DROP_REASONS: readonly string[] = [
  'none',
  'ipShort',
  'ipVersion',
  'ipHeaderLength',
  'ipTotalLength',
  'ipChecksum',
  'ipNotOurs',
  'ipBadSource',
  'ipProtocol',
  'ipTtl',
  'fragmentOverlap',
  'fragmentTimeout',
  'fragmentLimit',
  'fragmentTooLong',
  'fragmentLength',
  'fragmentEnd',
  'tcpShort',
  'tcpDataOffset',
  'tcpChecksum',
  'tcpOptionLength',
  'tcpNoConnection',
  'tcpBadAddress',
  'tcpUnacceptableSeq',
  'tcpBadAck',
  'tcpPaws',
  'tcpNoAckBit',
  'tcpBadRst',
  'tcpChallenge',
  'tcpBacklogFull',
  'tcpAcceptQueueFull',
  'tcpTooManyConnections',
  'tcpBadFlags',
  'icmpShort',
  'icmpChecksum',
  'icmpUnquoted',
  'icmpType',
  'txNoRoute',
  'shardQueueFull',
  'shardOvertaken',
];

/** How many values {@link Drop} has. */
export const DROP_COUNT = DROP_REASONS.length;

/** The reason's name for people and tools: `ipShort` for `Drop.IP_SHORT`. */
export function dropName(drop: Drop): string {
  return DROP_REASONS[drop]!;
}
