import type { Counters } from '../base/counters.js';
import { SipHash } from '../base/siphash.js';
import type { Failure } from '../tcp/tcb.js';
import { Drop } from '../wire/drop-reason.js';
import {
  FRAG_NEEDED,
  ICMP_ECHO,
  ICMP_HEADER_BYTES,
  ICMP_PARAMETER_PROBLEM,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  IcmpMessage,
  NET_PROHIBITED,
  NET_UNKNOWN,
  NET_UNREACHABLE,
  PORT_UNREACHABLE,
  PROTOCOL_UNREACHABLE,
  parseIcmp,
  writeEchoReply,
  writeIcmpError,
} from '../wire/icmp.js';
import { IPV4_HEADER_BYTES, IPV4_MAX_BYTES, type Ipv4Header, PROTOCOL_TCP } from '../wire/ipv4.js';
import { Segment } from '../wire/segment.js';
import { type Interface, isGroup } from './interfaces.js';
import type { IpOutput } from './ip-output.js';

const PROTOCOL_UDP = 17;
/** Errors that we send at most in one second, so that we are no amplifier (RFC 1812 §4.3.2.8). */
const ERRORS_PER_SECOND = 100;
/** By so many the limit varies, from second to second. */
const LIMIT_JITTER = 64;
/** The smallest path MTU that we believe in (RFC 1191 §3). */
const MIN_PATH_MTU = 68;

/** MTUs of the links that there are, RFC 1191 §7.1 (RFC1191-3-c). */
const PLATEAUS = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, MIN_PATH_MTU];

/** What an ICMP error means to the connection whose segment it quotes (RFC 9293 §3.9.2.2). */
export interface QuotedInput {
  /** `quoted` has the addresses, ports and sequence number of a segment that we sent. */
  icmpError(quoted: Segment, failure: Failure, hard: boolean, now: number): boolean;
  fragmentationNeeded(quoted: Segment, mtu: number, now: number): boolean;
  /** Whether the connection may be another shard's. */
  isErrorElsewhere(quoted: Segment, by: Interface): boolean;
}

/** ICMP of a host: answers echo, reports what nobody here takes, passes errors on to TCP. */
export class IcmpService {
  readonly #message = new IcmpMessage();
  readonly #quoted = new Segment();
  readonly #buffer = new Uint8Array(IPV4_MAX_BYTES);
  readonly #bufferView = new DataView(this.#buffer.buffer);
  readonly #jitter: SipHash;
  readonly #second = new Int32Array(1);
  #errorsSince = -Infinity;
  #allowed = 0;

  constructor(
    private readonly counters: Counters,
    private readonly output: IpOutput,
    private readonly tcp: QuotedInput,
    /** 16 unpredictable bytes. */
    key: Uint8Array,
  ) {
    this.#jitter = new SipHash(key);
  }

  input(
    bytes: Uint8Array,
    view: DataView,
    offset: number,
    header: Ipv4Header,
    by: Interface,
    now: number,
  ): Drop {
    this.counters.icmpInMsgs++;
    const message = this.#message;
    const length = header.totalLength - header.headerLength;
    const drop = parseIcmp(bytes, view, offset + header.headerLength, length, message);
    if (drop !== Drop.NONE) return drop;
    switch (message.type) {
      case ICMP_ECHO:
        this.#answerEcho(bytes, header, by);
        return Drop.NONE;
      case ICMP_UNREACHABLE:
      case ICMP_TIME_EXCEEDED:
      case ICMP_PARAMETER_PROBLEM:
        return this.#errorArrives(bytes, view, by, now);
      default:
        // Source quench among them: RFC 9293 MUST-55.
        return Drop.ICMP_TYPE;
    }
  }

  /** A datagram of a protocol that nobody here speaks (RFC 1122 §3.2.2.1). */
  refuseProtocol(
    bytes: Uint8Array,
    offset: number,
    header: Ipv4Header,
    by: Interface,
    now: number,
  ): Drop {
    const code = header.protocol === PROTOCOL_UDP ? PORT_UNREACHABLE : PROTOCOL_UNREACHABLE;
    if (!isGroup(header.dstAddr) && this.#mayReport(now)) {
      const length = writeIcmpError(
        this.#bufferView,
        this.#buffer,
        0,
        ICMP_UNREACHABLE,
        code,
        0,
        bytes,
        offset,
        header.totalLength,
      );
      this.#send(by, header, length);
    }
    return Drop.IP_PROTOCOL;
  }

  /** RFC 1122 §3.2.2.6: the same data comes back. */
  #answerEcho(bytes: Uint8Array, header: Ipv4Header, by: Interface): void {
    const { bodyOffset, bodyLength } = this.#message;
    this.counters.icmpInEchos++;
    const length = writeEchoReply(
      this.#bufferView,
      this.#buffer,
      0,
      bytes,
      bodyOffset - ICMP_HEADER_BYTES,
      ICMP_HEADER_BYTES + bodyLength,
    );
    this.counters.icmpOutEchoReps++;
    this.#send(by, header, length);
  }

  #send(by: Interface, to: Ipv4Header, length: number): void {
    const message = this.#buffer.subarray(0, length);
    this.output.sendIcmp(by, to.dstAddr, to.srcAddr, to.tos, message);
  }

  /**
   * A limit that is known and shared lets one who spends it count the errors that others were sent
   * (CVE-2020-25705), so it is not known.
   */
  #mayReport(now: number): boolean {
    if (now - this.#errorsSince >= 1_000) {
      this.#errorsSince = now;
      this.#second[0]!++;
      const less = this.#jitter.hash(this.#second, 1) & (LIMIT_JITTER - 1);
      this.#allowed = ERRORS_PER_SECOND - less;
    }
    return --this.#allowed >= 0;
  }

  /** An error is for the connection whose segment it quotes (RFC 9293 MUST-54). */
  #errorArrives(bytes: Uint8Array, view: DataView, by: Interface, now: number): Drop {
    const { type, code, rest, bodyOffset, bodyLength } = this.#message;
    if (!this.#readQuoted(bytes, view, bodyOffset, bodyLength)) return Drop.ICMP_UNQUOTED;
    const quoted = this.#quoted;
    if (this.tcp.isErrorElsewhere(quoted, by)) return Drop.ELSEWHERE;
    if (type === ICMP_UNREACHABLE && code === FRAG_NEEDED) {
      const length = view.getUint16(bodyOffset + 2);
      const mtu = (rest & 0xffff) === 0 ? plateauBelow(length) : rest & 0xffff;
      // A packet that the next hop would have taken was not refused (RFC 5927 §7.1).
      if (mtu < MIN_PATH_MTU || mtu >= length || !this.tcp.fragmentationNeeded(quoted, mtu, now)) {
        return Drop.ICMP_UNQUOTED;
      }
      return Drop.NONE;
    }
    const hard =
      type === ICMP_UNREACHABLE && (code === PROTOCOL_UNREACHABLE || code === PORT_UNREACHABLE);
    return this.tcp.icmpError(quoted, failureOf(type, code), hard, now)
      ? Drop.NONE
      : Drop.ICMP_UNQUOTED;
  }

  /** The header and the first 8 bytes of a segment are quoted at least (RFC792-3-a, RFC792-3-b). */
  #readQuoted(bytes: Uint8Array, view: DataView, offset: number, length: number): boolean {
    if (length < IPV4_HEADER_BYTES + ICMP_HEADER_BYTES) return false;
    const headerLength = (bytes[offset]! & 15) << 2;
    if (bytes[offset]! >> 4 !== 4 || headerLength < IPV4_HEADER_BYTES) return false;
    if (length < headerLength + ICMP_HEADER_BYTES) return false;
    if (bytes[offset + 9] !== PROTOCOL_TCP || (view.getUint16(offset + 6) & 0x1fff) !== 0) {
      return false;
    }
    const quoted = this.#quoted;
    const tcp = offset + headerLength;
    quoted.srcAddr = view.getInt32(offset + 12);
    quoted.dstAddr = view.getInt32(offset + 16);
    quoted.srcPort = view.getUint16(tcp);
    quoted.dstPort = view.getUint16(tcp + 2);
    quoted.seq = view.getInt32(tcp + 4) as Segment['seq'];
    return true;
  }
}

/** RFC 1191 §7: a router of before 1990 does not say how much its next hop takes. */
function plateauBelow(length: number): number {
  for (const plateau of PLATEAUS) if (plateau < length) return plateau;
  return 0;
}

function failureOf(type: number, code: number): Failure {
  if (type === ICMP_PARAMETER_PROBLEM) return 'EPROTO';
  if (type === ICMP_TIME_EXCEEDED) return 'EHOSTUNREACH';
  switch (code) {
    case NET_UNREACHABLE:
    case NET_UNKNOWN:
    case NET_PROHIBITED:
      return 'ENETUNREACH';
    case PROTOCOL_UNREACHABLE:
    case PORT_UNREACHABLE:
      return 'ECONNREFUSED';
    default:
      return 'EHOSTUNREACH';
  }
}
