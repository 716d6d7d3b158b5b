import { type RxBatch, TxBatch } from '../../../src/base/batch.js';
import type { Link } from '../../../src/link/link.js';
import { update } from '../../../src/wire/checksum.js';
import { Drop } from '../../../src/wire/drop-reason.js';
import { Ipv4Header, parseCidr, parseIpv4 } from '../../../src/wire/ipv4.js';

interface Route {
  network: number;
  mask: number;
  port: Port;
}

/** A link of a router and what is about to leave by it. */
class Port {
  readonly tx = new TxBatch();
  constructor(readonly link: Link) {}

  flush(): void {
    if (this.tx.count === 0) return;
    this.link.send(this.tx);
    this.tx.reset();
  }
}

/**
 * Forwards IPv4 packets between links without offload by the longest prefix. It has no address and no
 * queue: what limits a link, and who answers for it, is the link's faults.
 */
export class Router {
  forwarded = 0;
  /** Packets that were malformed, had no route or too low a TTL. */
  dropped = 0;
  readonly #ports: Port[] = [];
  readonly #routes: Route[] = [];
  readonly #header = new Ipv4Header();

  /** Packets for `networks` (as `10.1.0.0/16`) leave by `link`. */
  attach(link: Link, ...networks: string[]): void {
    if (link.offload) throw new Error('a router takes no super-packets');
    const port = new Port(link);
    this.#ports.push(port);
    for (const text of networks) {
      const { address, prefix } = parseCidr(text)!;
      const mask = prefix === 0 ? 0 : -1 << (32 - prefix);
      this.#routes.push({ network: address & mask, mask, port });
    }
    this.#routes.sort((a, b) => (b.mask >>> 0) - (a.mask >>> 0));
    link.open({
      receive: (batch) => this.#receive(batch),
      writable: () => {},
      closed: () => {},
    });
  }

  #receive(batch: RxBatch): void {
    const { bytes, view, offset, length } = batch;
    for (let i = 0; i < batch.count; i++) this.#forward(bytes, view, offset[i]!, length[i]!);
    for (const port of this.#ports) port.flush();
  }

  #forward(bytes: Uint8Array, view: DataView, offset: number, length: number): void {
    const header = this.#header;
    const drop = parseIpv4(bytes, view, offset, length, header);
    const port = drop === Drop.NONE && header.ttl > 1 ? this.#route(header.dstAddr) : null;
    if (port === null) {
      this.dropped++;
      return;
    }
    this.forwarded++;
    const { tx } = port;
    if (!tx.fits(length)) port.flush();
    const at = tx.begin(length);
    tx.bytes.set(bytes.subarray(offset, offset + length), at);
    const before = tx.view.getUint16(at + 8);
    tx.view.setUint16(at + 8, before - 0x100);
    tx.view.setUint16(at + 10, update(tx.view.getUint16(at + 10), before, before - 0x100));
  }

  #route(address: number): Port | null {
    for (const { network, mask, port } of this.#routes) {
      if ((address & mask) === network) return port;
    }
    return null;
  }
}
