import type { RetransmitCause } from './trace.js';

/** Everything that makes us send octets again. */

export const RTO: RetransmitCause = {
  name: 'RTO',
  why: 'no acknowledgment within the RTO: RFC 6298 §5.4',
};

export const FAST_RETRANSMIT: RetransmitCause = {
  name: 'fast retransmit',
  why: 'three duplicate ACKs: RFC 5681 §3.2',
};

export const RACK: RetransmitCause = {
  name: 'RACK',
  why: 'something sent later has arrived, and it is not merely late: RFC 8985 §6.2',
};

export const SACK_LOSS: RetransmitCause = {
  name: 'SACK',
  why: 'the peer has enough octets above the hole: RFC 6675 §4',
};

export const TLP: RetransmitCause = {
  name: 'TLP',
  why: 'no ACK for the tail of a flight, so a probe asks for one: RFC 8985 §7.3',
};

export const RENEGED: RetransmitCause = {
  name: 'reneging',
  why: 'the peer does not acknowledge what it SACKed: RFC 2018 §8',
};

export const PARTIAL_ACK: RetransmitCause = {
  name: 'partial ACK',
  why: 'the ACK of a retransmission shows the next hole: RFC 6582 §3.2',
};

export const SYN_ARRIVED_AGAIN: RetransmitCause = {
  name: 'SYN again',
  why: 'the peer repeats its SYN, so our answer was lost: RFC 9293 §3.10.7.4',
};

export const SIMULTANEOUS_OPEN: RetransmitCause = {
  name: 'simultaneous open',
  why: 'our SYN goes out again, now with an ACK: RFC 9293 §3.5',
};

export const WINDOW_PROBE: RetransmitCause = {
  name: 'window probe',
  why: 'the window is shut, and its opening may have been lost: RFC 9293 §3.8.6.1',
};

export const WINDOW_OPENED: RetransmitCause = {
  name: 'window opened',
  why: 'what a shut window did not take: RFC 9293 §3.8.6.1',
};

export const MTU_PROBE: RetransmitCause = {
  name: 'MTU probe',
  why: 'a segment that was to find out the MTU is lost, which says nothing else: RFC 4821 §7.6.2',
};

export const PATH_MTU: RetransmitCause = {
  name: 'path MTU',
  why: 'segments were too large for the path: RFC 1191 §6.4',
};
