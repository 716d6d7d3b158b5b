import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { duplexLink } from '../../../src/link/duplex.js';
import { memoryPair } from '../../../src/link/memory.js';

const OUT_OF_RANGE = expect.objectContaining({
  name: 'RangeError',
  code: 'ERR_OUT_OF_RANGE',
  message: expect.stringContaining('"mtu"'),
});

describe('mtu', () => {
  it.each([67, 65_536, 1500.5, NaN, -1])('refuses %d', (mtu) => {
    expect(() => memoryPair({ mtu })).toThrow(OUT_OF_RANGE);
    expect(() => duplexLink(new PassThrough(), { mtu })).toThrow(OUT_OF_RANGE);
  });

  it.each([68, 65_535])('takes %d', (mtu) => {
    expect(memoryPair({ mtu })[1].mtu).toBe(mtu);
    expect(duplexLink(new PassThrough(), { mtu }).mtu).toBe(mtu);
  });
});
