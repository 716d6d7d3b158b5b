import type { TxBatch } from '../base/batch.js';
import type { Link, LinkReceiver } from '../link/link.js';

/** A link that tells when it has ended by itself: someone deleted the device. */
export class WatchedLink implements Link {
  /** Rejects with the reason when the link is lost; otherwise never settles. */
  readonly lost: Promise<never>;
  readonly #link: Link;
  #lose: (error: Error) => void = () => {};

  constructor(link: Link) {
    this.#link = link;
    this.lost = new Promise((_, reject) => {
      this.#lose = reject;
    });
    // Whoever does not wait for it does not mind.
    this.lost.catch(() => {});
  }

  get name(): string {
    return this.#link.name;
  }

  get mtu(): number {
    return this.#link.mtu;
  }

  get offload(): boolean {
    return this.#link.offload;
  }

  get headroom(): number {
    return this.#link.headroom;
  }

  get blocked(): boolean {
    return this.#link.blocked;
  }

  open(receiver: LinkReceiver): void {
    this.#link.open({
      receive: (batch) => receiver.receive(batch),
      writable: () => receiver.writable(),
      closed: (error) => {
        receiver.closed(error);
        if (error !== undefined) this.#lose(error);
      },
    });
  }

  send(batch: TxBatch): void {
    this.#link.send(batch);
  }

  close(): void {
    this.#link.close();
  }
}
