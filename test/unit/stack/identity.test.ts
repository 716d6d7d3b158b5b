import { describe, expect, test } from 'vitest';
import { diff } from '../../../src/base/seq.js';
import { Identity } from '../../../src/stack/identity.js';

const SECRET = new Uint8Array(32).map((_, i) => i * 7);
const TUPLE = { localAddr: 0x0a000002, localPort: 80, remoteAddr: 0x0a000001, remotePort: 5_000 };

describe('initial sequence numbers (RFC 6528)', () => {
  test('MUST-8: follow a clock of 4 microseconds, across the wrap of the clock', () => {
    const identity = new Identity(SECRET);
    for (const at of [0, 1_000, 17_179_869, 1e12]) {
      const elapsed = diff(identity.isn(TUPLE, at + 1), identity.isn(TUPLE, at));
      expect(elapsed).toBe(250);
    }
  });

  // MUST-9, SHLD-1
  test('differ between connections and between secrets', () => {
    const identity = new Identity(SECRET);
    const seen = new Set([
      identity.isn(TUPLE, 0),
      new Identity(SECRET.map((b) => b ^ 1)).isn(TUPLE, 0),
    ]);
    for (const field of Object.keys(TUPLE) as (keyof typeof TUPLE)[]) {
      seen.add(identity.isn({ ...TUPLE, [field]: TUPLE[field] + 1 }, 0));
    }
    expect(seen.size).toBe(6);
  });

  // RFC7323-7-a
  test('tell nothing of the timestamp offset', () => {
    const identity = new Identity(SECRET);
    expect(identity.timestampOffset(TUPLE)).not.toBe(identity.isn(TUPLE, 0));
    expect(identity.timestampOffset(TUPLE)).toBe(identity.timestampOffset(TUPLE));
  });
});

test('hosts with a secret and a clock in common give the same numbers at the same moment', () => {
  const early = new Identity(SECRET);
  const late = new Identity(SECRET, 5_000);
  expect(late.isn(TUPLE, 100)).toBe(early.isn(TUPLE, 5_100));
  const timestamps = [late.timestampOffset(TUPLE) + 100, early.timestampOffset(TUPLE) + 5_100];
  expect(timestamps[0]).toBe(timestamps[1]);
});

describe('ephemeral ports (RFC 6056)', () => {
  test('are from 32768 to 60999, one after the other for the same remote socket', () => {
    const identity = new Identity(SECRET);
    const ports = new Set<number>();
    for (let i = 0; i < 28_232; i++) {
      ports.add(identity.ephemeralPort(1, 2, 3, () => true)!);
    }
    expect(ports.size).toBe(28_232);
    expect(Math.min(...ports)).toBe(32_768);
    expect(Math.max(...ports)).toBe(60_999);
  });

  test('are null when none is free', () => {
    expect(new Identity(SECRET).ephemeralPort(1, 2, 3, () => false)).toBe(null);
  });

  test('the only free one is found', () => {
    expect(new Identity(SECRET).ephemeralPort(1, 2, 3, (port) => port === 40_000)).toBe(40_000);
  });
});
