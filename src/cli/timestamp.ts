/** Writes a time in nanoseconds since 1970 in front of a line. */
export type Timestamp = (time: bigint) => string;

/** As tcpdump does, by how often `-t` was given: time of day, none, seconds since 1970. */
export function timestampFor(times: number): Timestamp {
  return TIMESTAMPS[times] ?? epochStamp;
}

/** `1795275670.241000`. */
export function secondsSince1970(time: bigint): string {
  return `${time / 1_000_000_000n}.${microseconds(time)}`;
}

const epochStamp: Timestamp = (time) => `${secondsSince1970(time)} `;

const TIMESTAMPS: readonly Timestamp[] = [(time) => `${timeOfDay(time)} `, () => '', epochStamp];

function timeOfDay(time: bigint): string {
  const date = new Date(Number(time / 1_000_000n));
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
  const text = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return `${text}.${microseconds(time)}`;
}

/** Cut off, not rounded, as tcpdump does. */
function microseconds(time: bigint): string {
  return String((time % 1_000_000_000n) / 1000n).padStart(6, '0');
}
