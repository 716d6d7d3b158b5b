import type { RxBatch, TxBatch } from '../base/batch.js';

/**
 * Something that carries IPv4 packets: a TUN device, an in-memory cable, or a wrapper around another
 * link. Packets move in batches, because one call per packet is what makes user-space stacks slow.
 */
export interface Link {
  /** For people: `tun0`, `memory:a`. */
  readonly name: string;
  /** The largest IPv4 packet in bytes that leaves the other end of the link (68 to 65535). */
  readonly mtu: number;
  /**
   * True when the link takes and gives packets that are larger than its MTU, to be cut by whoever is
   * below (TSO), and takes packets whose TCP checksum is left to be completed below. A packet that
   * the link vouches for carries {@link RX_CHECKSUM_VOUCHED}.
   */
  readonly offload: boolean;
  /**
   * The largest packet in bytes that the link takes with {@link offload}; 65,535 where it does not say.
   * In one that is larger, the total length of IPv4 stands as 0 (Linux's "BIG TCP").
   */
  readonly gsoMaxSize?: number;
  /**
   * True for a link without {@link offload} that does what costs most of it: it vouches for TCP
   * checksums that it has found right, and completes those that are left as with offload. The host
   * merges and cuts segments for it, a batch at a time, where nobody watches each of them.
   */
  readonly softwareOffload?: boolean;
  /**
   * Bytes in front of each packet sent: with {@link offload} 10, for the virtio header, which the
   * sender fills in (`wire/virtio.ts`); otherwise left free.
   */
  readonly headroom: number;
  /** Starts delivery. Called once, by the host. */
  open(receiver: LinkReceiver): void;
  /**
   * Sends all packets of the batch and takes nothing of it: when this returns, the caller may change
   * every buffer that the batch points to. What cannot be sent at once is kept by the link (a copy,
   * bounded) until it can; see {@link blocked}. The caller resets the batch.
   */
  send(batch: TxBatch): void;
  /** True while packets wait in the link; the host stops making new ones until `writable()`. */
  readonly blocked: boolean;
  /** Packets that were sent, and that the link could not get rid of: it was full, down or closed. */
  readonly discarded?: number;
  /** Stops delivery and gives everything back. Idempotent. */
  close(): void;
}

/** The host's side of a link. */
export interface LinkReceiver {
  /** Hands over what arrived. The batch and its bytes are the link's again when this returns,
   * unless the receiver has set {@link RxBatch.pinned}. */
  receive(batch: RxBatch): void;
  /** The link is no longer {@link Link.blocked}. */
  writable(): void;
  /** The link has ended, by `close()` or, with an error, by itself (the device was deleted). */
  closed(error?: Error): void;
}
