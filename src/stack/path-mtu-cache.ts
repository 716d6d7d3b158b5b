/** Most destinations that are remembered; the one learnt of first goes. */
const CAPACITY = 4_096;

/** Paths that carry less than their first link, by destination, until it is time to try more. */
export class PathMtuCache {
  readonly #known = new Map<number, { mss: number; until: number }>();

  /** `mss` octets a segment to `address` until `until`, ms; 0 forgets it. */
  note(address: number, mss: number, until: number): void {
    this.#known.delete(address);
    if (mss === 0) return;
    this.#known.set(address, { mss, until });
    if (this.#known.size <= CAPACITY) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  find(address: number, now: number): { mss: number; until: number } | null {
    if (this.#known.size === 0) return null;
    const entry = this.#known.get(address);
    if (entry === undefined) return null;
    if (now < entry.until) return entry;
    this.#known.delete(address);
    return null;
  }
}
