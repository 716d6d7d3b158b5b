import type { TxBatch } from '../base/batch.js';
import type { Link, LinkReceiver } from './link.js';

/** A link around another one: passes everything through, for subclasses to look at what they want. */
export abstract class LinkWrapper implements Link {
  constructor(protected readonly inner: Link) {}

  get name(): string {
    return this.inner.name;
  }

  get mtu(): number {
    return this.inner.mtu;
  }

  get offload(): boolean {
    return this.inner.offload;
  }

  get softwareOffload(): boolean {
    return this.inner.softwareOffload ?? false;
  }

  get headroom(): number {
    return this.inner.headroom;
  }

  get blocked(): boolean {
    return this.inner.blocked;
  }

  get discarded(): number {
    return this.inner.discarded ?? 0;
  }

  abstract open(receiver: LinkReceiver): void;

  send(batch: TxBatch): void {
    this.inner.send(batch);
  }

  close(): void {
    this.inner.close();
  }
}
