import type { Link, MemoryLink, RxBatch, TuntcpModule, TxBatch } from './tuntcp.js';

/** Where the last byte of the destination stands in an IPv4 header. */
const DESTINATION_HOST = 19;
const IPV4_HEADER_BYTES = 20;

/** A link of a site and what is about to leave by it. */
interface Port {
  readonly link: Link;
  readonly tx: TxBatch;
}

/**
 * One end of the path: links without offload to hosts that differ in the last byte of their address.
 * Every packet of theirs goes to the path, wherever it is for.
 */
export class Site {
  /** Gets what the hosts send. */
  onPackets: ((batch: RxBatch) => void) | null = null;
  readonly #ports = new Map<number, Port>();

  constructor(private readonly makeBatch: () => TxBatch) {}

  attach(link: Link, host: number): void {
    this.#ports.set(host, { link, tx: this.makeBatch() });
    link.open({
      receive: (batch) => this.onPackets?.(batch),
      writable: () => {},
      closed: () => {},
    });
  }

  detach(host: number): void {
    this.#ports.get(host)?.link.close();
    this.#ports.delete(host);
  }

  /** Takes a packet for one of the hosts; {@link flush} sends it. */
  deliver(bytes: Uint8Array, offset: number, length: number): void {
    const isIpv4 = length >= IPV4_HEADER_BYTES && bytes[offset]! >> 4 === 4;
    const port = isIpv4 ? this.#ports.get(bytes[offset + DESTINATION_HOST]!) : undefined;
    if (port === undefined) return;
    if (!port.tx.fits(length)) flush(port);
    port.tx.bytes.set(bytes.subarray(offset, offset + length), port.tx.begin(length));
  }

  flush(): void {
    for (const port of this.#ports.values()) flush(port);
  }
}

function flush({ link, tx }: Port): void {
  if (tx.count === 0) return;
  link.send(tx);
  tx.reset();
}

/** A site as the link that the faults wrap. */
export class SiteLink implements Link {
  readonly name = 'site';
  readonly mtu = 1500;
  readonly offload = false;
  readonly headroom = 0;
  readonly blocked = false;
  readonly #packet = new Uint8Array(65_535);

  constructor(private readonly site: Site) {}

  open({ receive }: Parameters<Link['open']>[0]): void {
    this.site.onPackets = receive;
  }

  send(batch: TxBatch): void {
    for (let i = 0; i < batch.count; i++) {
      this.site.deliver(this.#packet, 0, batch.copyPacket(i, this.#packet, 0));
    }
    this.site.flush();
  }

  close(): void {
    this.site.onPackets = null;
  }
}

/** Lets what the left site sends go over `path`, and what comes back to its hosts. */
export function joinLeft(left: Site, path: Link, tx: TxBatch): void {
  left.onPackets = (batch) => {
    for (let i = 0; i < batch.count; i++) {
      const length = batch.length[i]!;
      const from = batch.offset[i]!;
      if (!tx.fits(length)) {
        path.send(tx);
        tx.reset();
      }
      tx.bytes.set(batch.bytes.subarray(from, from + length), tx.begin(length));
    }
    path.send(tx);
    tx.reset();
  };
  path.open({
    receive: (batch) => {
      for (let i = 0; i < batch.count; i++) {
        left.deliver(batch.bytes, batch.offset[i]!, batch.length[i]!);
      }
      left.flush();
    },
    writable: () => {},
    closed: () => {},
  });
}

/** A cable without offload: one end for a stack, one for a site. */
export function cable(tuntcp: TuntcpModule): [MemoryLink, MemoryLink] {
  return tuntcp.memoryPair({ queueBytes: 1024 * 1024 });
}
