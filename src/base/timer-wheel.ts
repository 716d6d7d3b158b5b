const SLOT_BITS = 5;
const SLOTS = 1 << SLOT_BITS;
const LEVELS = 6;
const TOP = LEVELS - 1;
const TOP_SHIFT = SLOT_BITS * TOP;
/** All levels together span this many ms (12 days); later deadlines wait in the farthest slot. */
const RANGE = 2 ** (SLOT_BITS * LEVELS);
const FARTHEST = RANGE - 2 ** TOP_SHIFT - 1;

const NOWHERE = -1;
/** The list of nodes that are being fired. */
const DUE = LEVELS * SLOTS;

/** A timer's place in a {@link TimerWheel}; one per timer, scheduled again and again. */
export class TimerNode<T> {
  /** Deadline in ms; Infinity when not scheduled. */
  readonly at: number = Infinity;
  /** @internal */
  slot = NOWHERE;
  /** @internal */
  previous: TimerNode<T> = this;
  /** @internal */
  following: TimerNode<T> = this;

  constructor(readonly owner: T) {}
}

/**
 * A hierarchical timer wheel (Varghese and Lauck, 1987) with a tick of 1 ms: 6 levels of 32 slots,
 * and one bit per slot that says whether anything is in it. A node lies at the level of the highest
 * group of 5 bits in which its tick differs from the current one, and moves down as time reaches
 * its slot. Deadlines are in ms with fractions and compared exactly; nothing is allocated by a call.
 */
export class TimerWheel<T> {
  /** First node of each slot's ring, which is in order of scheduling. */
  readonly #heads: (TimerNode<T> | null)[] = new Array(DUE + 1).fill(null);
  readonly #occupied = new Int32Array(LEVELS);
  #tick: number;
  #size = 0;
  #next = Infinity;
  #nextKnown = true;

  constructor(now: number) {
    this.#tick = Math.floor(now);
  }

  /** Nodes that are scheduled. */
  get size(): number {
    return this.#size;
  }

  /**
   * Schedules `node`, or moves it, to fire at or after `at`. A deadline in the past fires at the
   * next {@link advance}, not within one that is under way. Infinity cancels.
   */
  schedule(node: TimerNode<T>, at: number): void {
    if (node.slot !== NOWHERE) this.cancel(node);
    if (!(at < Infinity)) return;
    setDeadline(node, at);
    this.#insert(node);
    this.#size++;
    if (at < this.#next) this.#next = at;
  }

  /** Idempotent. */
  cancel(node: TimerNode<T>): void {
    if (node.slot === NOWHERE) return;
    this.#unlink(node);
    this.#size--;
    if (node.at <= this.#next) this.#nextKnown = false;
    setDeadline(node, Infinity);
  }

  /**
   * The earliest time in ms at which {@link advance} has something to do: never later than the
   * earliest deadline, possibly earlier by when a slot far ahead must be looked into. Infinity when
   * nothing is scheduled.
   */
  next(): number {
    if (!this.#nextKnown) {
      this.#next = this.#earliest();
      this.#nextKnown = true;
    }
    return this.#next;
  }

  /**
   * Fires every node whose deadline is at or before `now`, in order of deadline and, among equals,
   * of scheduling. A node is unscheduled before `fire`, which may schedule and cancel any node.
   */
  advance(now: number, fire: (owner: T) => void): void {
    if (now < this.next()) return;
    const sorted = this.#collect(now);
    this.#nextKnown = false;
    if (!sorted) this.#sortDue();
    for (let node = this.#heads[DUE]!; node !== null; node = this.#heads[DUE]!) {
      this.cancel(node);
      fire(node.owner);
    }
  }

  /** Moves what is due to the DUE list, slot by slot; true when the list is in order already. */
  #collect(now: number): boolean {
    const target = Math.floor(now);
    let sorted = true;
    for (;;) {
      const slot = this.#firstSlot();
      if (slot < 0) break;
      const start = this.#slotStart(slot);
      if (start > target) break;
      this.#tick = start;
      const last = this.#heads[slot]!.previous;
      for (let node = this.#heads[slot]!, following = node; ; node = following) {
        following = node.following;
        if (slot >= SLOTS) {
          this.#unlink(node);
          this.#insert(node);
        } else if (node.at <= now) {
          this.#unlink(node);
          const tail = this.#heads[DUE]?.previous;
          if (tail !== undefined && node.at < tail.at) sorted = false;
          this.#append(node, DUE);
        }
        if (node === last) break;
      }
      if (start === target && slot < SLOTS) break;
    }
    if (target > this.#tick) this.#tick = target;
    return sorted;
  }

  #earliest(): number {
    const slot = this.#firstSlot();
    if (slot < 0) return Infinity;
    if (slot >= SLOTS) return this.#slotStart(slot);
    let earliest = Infinity;
    const head = this.#heads[slot]!;
    let node = head;
    do {
      if (node.at < earliest) earliest = node.at;
      node = node.following;
    } while (node !== head);
    return earliest;
  }

  /** The occupied slot that is reached first, or -1. Lower levels lie before higher ones. */
  #firstSlot(): number {
    for (let level = 0; level < TOP; level++) {
      const bits = this.#occupied[level]!;
      if (bits !== 0) return level * SLOTS + lowestBit(bits);
    }
    const bits = this.#occupied[TOP]!;
    if (bits === 0) return -1;
    // The top level wraps around: what lies at or below the current slot comes after the rest.
    const current = (this.#tick | 0) >>> TOP_SHIFT;
    const ahead = bits & ~(((2 << (current & (SLOTS - 1))) - 1) | 0);
    return TOP * SLOTS + lowestBit(ahead !== 0 ? ahead : bits);
  }

  /** The tick at which a slot begins. */
  #slotStart(slot: number): number {
    const shift = (slot >> SLOT_BITS) * SLOT_BITS;
    const low = this.#tick | 0;
    const distance = ((slot & (SLOTS - 1)) - (low >>> shift)) & (SLOTS - 1);
    return this.#tick - (low & ((1 << shift) - 1)) + distance * 2 ** shift;
  }

  #insert(node: TimerNode<T>): void {
    let distance = Math.floor(node.at) - this.#tick;
    if (distance < 0) distance = 0;
    else if (distance > FARTHEST) distance = FARTHEST;
    const low = (this.#tick + distance) | 0;
    const differing = (low ^ (this.#tick | 0)) & (RANGE - 1);
    const level = differing === 0 ? 0 : ((31 - Math.clz32(differing)) / SLOT_BITS) | 0;
    this.#append(node, level * SLOTS + ((low >>> (level * SLOT_BITS)) & (SLOTS - 1)));
  }

  #append(node: TimerNode<T>, slot: number): void {
    const head = this.#heads[slot]!;
    node.slot = slot;
    if (head === null) {
      this.#heads[slot] = node;
      if (slot < DUE) {
        const level = slot >> SLOT_BITS;
        this.#occupied[level] = this.#occupied[level]! | (1 << (slot & (SLOTS - 1)));
      }
      return;
    }
    const tail = head.previous;
    tail.following = node;
    node.previous = tail;
    node.following = head;
    head.previous = node;
  }

  #unlink(node: TimerNode<T>): void {
    const slot = node.slot;
    const following = node.following;
    node.slot = NOWHERE;
    if (following === node) {
      this.#heads[slot] = null;
      if (slot < DUE) {
        const level = slot >> SLOT_BITS;
        this.#occupied[level] = this.#occupied[level]! & ~(1 << (slot & (SLOTS - 1)));
      }
      return;
    }
    if (this.#heads[slot] === node) this.#heads[slot] = following;
    following.previous = node.previous;
    node.previous.following = following;
    node.previous = node;
    node.following = node;
  }

  /** Merge sort, bottom up and stable, on the links themselves. */
  #sortDue(): void {
    const ring = this.#heads[DUE]!;
    const end = ring.previous;
    // While sorting, the last node of a chain is one that follows itself.
    end.following = end;
    let head = ring;
    for (let width = 1; ; width *= 2) {
      let merges = 0;
      let rest: TimerNode<T> | null = head;
      let tail: TimerNode<T> | null = null;
      while (rest !== null) {
        merges++;
        let left: TimerNode<T> | null = rest;
        let right: TimerNode<T> | null = rest;
        let leftCount = 0;
        while (leftCount < width && right !== null) {
          leftCount++;
          right = after(right);
        }
        let rightCount = width;
        while (leftCount > 0 || (rightCount > 0 && right !== null)) {
          let node: TimerNode<T>;
          if (leftCount > 0 && (rightCount === 0 || right === null || left!.at <= right.at)) {
            node = left!;
            left = after(node);
            leftCount--;
          } else {
            node = right!;
            right = after(node);
            rightCount--;
          }
          if (tail === null) head = node;
          else tail.following = node;
          node.previous = tail ?? node;
          tail = node;
        }
        rest = right;
      }
      tail!.following = tail!;
      if (merges <= 1) {
        tail!.following = head;
        head.previous = tail!;
        this.#heads[DUE] = head;
        return;
      }
    }
  }
}

function after<T>(node: TimerNode<T>): TimerNode<T> | null {
  return node.following === node ? null : node.following;
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function setDeadline<T>(node: { -readonly [K in 'at']: TimerNode<T>[K] }, at: number): void {
  node.at = at;
}
