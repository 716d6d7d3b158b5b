import type { Link, LinkReceiver } from './link.js';
import { LinkWrapper } from './link-wrapper.js';

/** A link that tells when it has ended by itself: someone deleted the device. */
export class WatchedLink extends LinkWrapper {
  /** Rejects with the reason when the link is lost; otherwise never settles. */
  readonly lost: Promise<never>;
  #lose: (error: Error) => void = () => {};

  constructor(link: Link) {
    super(link);
    this.lost = new Promise((_, reject) => {
      this.#lose = reject;
    });
    // Whoever does not wait for it does not mind.
    this.lost.catch(() => {});
  }

  get gsoMaxSize(): number | undefined {
    return this.inner.gsoMaxSize;
  }

  open(receiver: LinkReceiver): void {
    this.inner.open({
      receive: (batch) => receiver.receive(batch),
      writable: () => receiver.writable(),
      closed: (error) => {
        receiver.closed(error);
        if (error !== undefined) this.#lose(error);
      },
    });
  }
}
