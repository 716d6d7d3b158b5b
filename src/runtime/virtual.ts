import { Random } from '../base/random.js';
import type { Alarm, Holder, Runtime } from './runtime.js';
import { nextTurn } from './system.js';

/** Tasks that may run without time moving, before that counts as a loop without end. */
const MAX_TASKS_PER_INSTANT = 1_000_000;
/** Turns of Node's event loop to wait for something to happen when nothing is scheduled. */
const MAX_IDLE_TURNS = 50;

/** A task and its time; `index` is its place in the heap, -1 when it is not there. */
interface Entry {
  at: number;
  order: number;
  index: number;
  readonly task: () => void;
}

/**
 * A simulated world that starts at 0 ms. Time moves only from one scheduled task to the next, and
 * tasks run in order of time and, among equals, of scheduling, so that a run depends on its seed
 * alone. Hosts that share a runtime share its time.
 */
export class VirtualRuntime implements Runtime {
  /** The source of everything random in the simulation. */
  readonly entropy: Random;
  #now = 0;
  #order = 0;
  #tasksThisInstant = 0;
  #deferred: (() => void)[] = [];
  readonly #heap: Entry[] = [];
  #held = 0;

  constructor(seed = 1) {
    this.entropy = new Random(seed);
  }

  now(): number {
    return this.#now;
  }

  random(length: number): Uint8Array {
    return this.entropy.bytes(length);
  }

  defer(task: () => void): void {
    this.#deferred.push(task);
  }

  yield(task: () => void): void {
    this.schedule(this.#now, task);
  }

  alarm(ring: () => void): Alarm {
    const entry: Entry = { at: Infinity, order: 0, index: -1, task: ring };
    return {
      set: (at) => {
        this.#remove(entry);
        if (at === Infinity) return;
        entry.at = Math.max(at, this.#now);
        this.#insert(entry);
      },
      clear: () => this.#remove(entry),
    };
  }

  holder(): Holder {
    let held = false;
    return {
      hold: () => {
        if (!held) this.#held++;
        held = true;
      },
      release: () => {
        if (held) this.#held--;
        held = false;
      },
    };
  }

  /** Holders that would keep a real process alive now. */
  get held(): number {
    return this.#held;
  }

  /** Runs `task` at `at` ms, or now when that has passed. */
  schedule(at: number, task: () => void): void {
    this.#insert({ at: Math.max(at, this.#now), order: 0, index: -1, task });
  }

  /**
   * Runs what was deferred, then the next scheduled task at its time, then what that has deferred.
   * False when there was nothing to do.
   */
  step(): boolean {
    const deferred = this.#drain();
    return this.#runNext(Infinity) || deferred;
  }

  /** Runs until nothing is left to do or, when `until` (ms) is given, up to that time inclusive. */
  run(until = Infinity): void {
    this.#drain();
    while (this.#runNext(until));
    if (until < Infinity && until > this.#now) this.#moveTo(until);
  }

  /** Runs until `predicate` holds; false when it does not by `limit` (ms) or nothing is left to do. */
  runUntil(predicate: () => boolean, limit = Infinity): boolean {
    this.#drain();
    while (!predicate()) if (!this.#runNext(limit)) return false;
    return true;
  }

  /**
   * {@link runUntil} for programs on top that use streams and promises: between two steps Node's
   * own `nextTick`s and microtasks run. Throws when nothing is left to do or time passes `limit`.
   */
  async runAsync(until: () => boolean, limit = Infinity): Promise<void> {
    let idle = 0;
    for (;;) {
      await nextTurn();
      if (until()) return;
      if (this.#drain() || this.#runNext(limit)) idle = 0;
      else if (++idle > MAX_IDLE_TURNS) {
        const why = this.#heap.length === 0 ? 'nothing is left to do' : `${limit} ms have passed`;
        throw new Error(`virtual time stopped at ${this.#now} ms: ${why}`);
      }
    }
  }

  /** Runs up to `until` (ms) inclusive, with Node's `nextTick`s and microtasks between two steps. */
  async settle(until = this.#now): Promise<void> {
    for (let idle = 0; idle < MAX_IDLE_TURNS; ) {
      await nextTurn();
      idle = this.#drain() || this.#runNext(until) ? 0 : idle + 1;
    }
    if (until > this.#now) this.#moveTo(until);
  }

  #drain(): boolean {
    if (this.#deferred.length === 0) return false;
    while (this.#deferred.length > 0) {
      const tasks = this.#deferred;
      this.#deferred = [];
      for (const task of tasks) {
        this.#countTask();
        task();
      }
    }
    return true;
  }

  #runNext(limit: number): boolean {
    const entry = this.#heap[0];
    if (entry === undefined || entry.at > limit) return false;
    this.#remove(entry);
    if (entry.at > this.#now) this.#moveTo(entry.at);
    this.#countTask();
    entry.task();
    this.#drain();
    return true;
  }

  #moveTo(at: number): void {
    this.#now = at;
    this.#tasksThisInstant = 0;
  }

  #countTask(): void {
    if (++this.#tasksThisInstant > MAX_TASKS_PER_INSTANT) {
      throw new Error(
        `virtual time stands still at ${this.#now} ms: tasks start each other forever`,
      );
    }
  }

  #insert(entry: Entry): void {
    entry.order = this.#order++;
    entry.index = this.#heap.push(entry) - 1;
    this.#up(entry);
  }

  #remove(entry: Entry): void {
    const index = entry.index;
    if (index < 0) return;
    entry.index = -1;
    const last = this.#heap.pop()!;
    if (last === entry) return;
    last.index = index;
    this.#heap[index] = last;
    this.#up(last);
    this.#down(last);
  }

  #up(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1]!;
      if (before(parent, entry)) return;
      this.#swap(parent, entry);
    }
  }

  #down(entry: Entry): void {
    for (;;) {
      const left = this.#heap[entry.index * 2 + 1];
      const right = this.#heap[entry.index * 2 + 2];
      const child = left !== undefined && right !== undefined && before(right, left) ? right : left;
      if (child === undefined || before(entry, child)) return;
      this.#swap(entry, child);
    }
  }

  #swap(upper: Entry, lower: Entry): void {
    const index = upper.index;
    upper.index = lower.index;
    lower.index = index;
    this.#heap[upper.index] = upper;
    this.#heap[lower.index] = lower;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
