/**
 * What a host needs from the world outside: time, entropy and being called back. The protocol gets
 * time only as an argument; this interface is how a host obtains it. `system.ts` is the real world,
 * `virtual.ts` a simulated one that repeats itself exactly from a seed.
 */
export interface Runtime {
  /** Monotonic time in ms, with fractions. Only differences mean anything. */
  now(): number;
  /** `length` unpredictable bytes (secrets for initial sequence numbers, ports and hash tables). */
  random(length: number): Uint8Array;
  /** Calls `task` soon, after the current turn of JavaScript and before any timer. */
  defer(task: () => void): void;
  /** Calls `task` in a later turn of the event loop, so that I/O gets its share in between. */
  yield(task: () => void): void;
  /** An alarm that is unarmed until {@link Alarm.set}. Alarms do not keep the process alive. */
  alarm(ring: () => void): Alarm;
  /** A claim on the life of the process; without one, a host never keeps it running. */
  holder(): Holder;
}

export interface Alarm {
  /** Rings at or soon after `at` (ms, on the scale of {@link Runtime.now}); replaces what was set. */
  set(at: number): void;
  clear(): void;
}

export interface Holder {
  hold(): void;
  release(): void;
}
