import { State } from '../tcp/state.js';
import { DROP_REASONS, type Drop } from '../wire/drop-reason.js';
import { Ipv4Header, PROTOCOL_TCP, parseIpv4 } from '../wire/ipv4.js';
import type { ReadPacket } from '../wire/pcap-reader.js';
import { ACK, RST, Segment, SYN } from '../wire/segment.js';
import { parseTcp, TCP_HEADER_BYTES } from '../wire/tcp.js';
import { Conversation } from './conversation.js';

/** Segments kept of one conversation. */
const CAPACITY = 1 << 20;
const NANOSECONDS = 1e6;
/** How a capture of ours notes what the host dropped. */
const DROPPED = 'dropped: ';

/**
 * The TCP conversations of a capture, whoever made it, the one that began first in front. Whoever
 * opened one is its remote end, and so on the left of its ladder. All states are inferred, and
 * retransmissions recognised by their sequence numbers. What is no whole TCP header over IPv4 is left
 * out, fragments too.
 *
 * @param packets as `readCapture` gives them
 */
export function conversationsIn(packets: Iterable<ReadPacket>): Conversation[] {
  const reader = new CaptureReader();
  for (const packet of packets) reader.take(packet);
  return reader.conversations;
}

class CaptureReader {
  readonly conversations: Conversation[] = [];
  /** The latest of each pair of ends. */
  readonly #latest = new Map<string, Conversation>();
  readonly #header = new Ipv4Header();
  readonly #segment = new Segment();
  /** The initial number of whoever opened each conversation. */
  readonly #opened = new Map<Conversation, number>();
  #epoch: bigint | null = null;

  take(packet: ReadPacket): void {
    if (!this.#parse(packet)) return;
    const segment = this.#segment;
    this.#epoch ??= packet.time;
    const now = Number(packet.time - this.#epoch) / NANOSECONDS;
    const conversation = this.#of(segment);
    const sent =
      segment.srcAddr === conversation.localAddr && segment.srcPort === conversation.localPort;
    conversation.record(segment, sent, State.CLOSED, now);
    if (packet.comment?.startsWith(DROPPED)) {
      const reason = DROP_REASONS.indexOf(packet.comment.slice(DROPPED.length));
      if (reason > 0) conversation.drop(segment, reason as Drop);
    }
  }

  #parse({ bytes, originalLength }: ReadPacket): boolean {
    const header = this.#header;
    const internetHeader = ((bytes[0] ?? 0) & 15) << 2;
    if (bytes.length < internetHeader + TCP_HEADER_BYTES) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (parseIpv4(bytes, view, 0, originalLength, header) !== 0) return false;
    if (header.protocol !== PROTOCOL_TCP) return false;
    if (header.moreFragments || header.fragmentOffset > 0) return false;
    // The payload need not be there, the header must be.
    const { headerLength, totalLength } = header;
    const end = headerLength + ((bytes[headerLength + 12]! >> 4) << 2);
    if (end > bytes.length) return false;
    const segment = this.#segment;
    segment.srcAddr = header.srcAddr;
    segment.dstAddr = header.dstAddr;
    return parseTcp(bytes, view, headerLength, totalLength - headerLength, segment) === 0;
  }

  #of(segment: Segment): Conversation {
    const key = keyOf(segment);
    const known = this.#latest.get(key);
    const opens = (segment.flags & (SYN | ACK | RST)) === SYN;
    if (known !== undefined && !(opens && this.#isAnother(known, segment))) return known;
    const conversation = new Conversation(CAPACITY, false);
    const { srcAddr, srcPort, dstAddr, dstPort } = segment;
    // Without an opening SYN, the end with the lower port most likely listened.
    const fromServer = (segment.flags & SYN) !== 0 ? !opens : srcPort < dstPort;
    conversation.begin(
      fromServer
        ? { localAddr: srcAddr, localPort: srcPort, remoteAddr: dstAddr, remotePort: dstPort }
        : { localAddr: dstAddr, localPort: dstPort, remoteAddr: srcAddr, remotePort: srcPort },
    );
    if (opens) this.#opened.set(conversation, segment.seq);
    this.conversations.push(conversation);
    this.#latest.set(key, conversation);
    return conversation;
  }

  /** A SYN with another number begins anew, unless both ends open at once. */
  #isAnother(known: Conversation, { srcAddr, srcPort, seq }: Segment): boolean {
    if (known.count === 1 && (srcAddr !== known.remoteAddr || srcPort !== known.remotePort)) {
      return false;
    }
    return this.#opened.get(known) !== seq;
  }
}

/** The same for both directions. */
function keyOf({ srcAddr, srcPort, dstAddr, dstPort }: Segment): string {
  const ends = [`${srcAddr}:${srcPort}`, `${dstAddr}:${dstPort}`].sort();
  return ends.join(' ');
}
