import { describe, expect, test } from 'vitest';
import { DEFAULT_TCP_CONFIG, tcpConfig } from '../../../src/tcp/config.js';

describe('tcpConfig', () => {
  test('lays changes over the defaults and leaves those alone', () => {
    const config = tcpConfig({ msl: 1_000, sack: false, delayedAck: undefined });
    expect(config).toEqual({ ...DEFAULT_TCP_CONFIG, msl: 1_000, sack: false });
    expect(DEFAULT_TCP_CONFIG.msl).toBe(30_000);
  });

  test('the defaults are valid', () => {
    expect(tcpConfig({ ...DEFAULT_TCP_CONFIG })).toEqual(DEFAULT_TCP_CONFIG);
  });

  for (const [field, value] of [
    ['msl', 0],
    ['delayedAck', 500],
    ['mss', 70_000],
    ['mss', 12],
    ['receiveBuffer', 1.5],
    ['rtoMin', Number.NaN],
    ['initialWindow', -1],
    ['backlog', Number.POSITIVE_INFINITY],
  ] as const) {
    test(`${field}: ${value} is a RangeError that names it`, () => {
      expect(() => tcpConfig({ [field]: value })).toThrowError(
        expect.objectContaining({
          name: 'RangeError',
          code: 'ERR_OUT_OF_RANGE',
          message: expect.stringContaining(`tcp.${field}`),
        }),
      );
    });
  }

  for (const [field, value] of [
    ['msl', '30'],
    ['sack', 1],
    ['noDelay', null],
    ['congestionControl', 7],
  ] as const) {
    test(`${field}: ${JSON.stringify(value)} is a TypeError that names it`, () => {
      expect(() => tcpConfig({ [field]: value } as never)).toThrowError(
        expect.objectContaining({
          name: 'TypeError',
          code: 'ERR_INVALID_ARG_TYPE',
          message: expect.stringContaining(`tcp.${field}`),
        }),
      );
    });
  }

  test('an unknown option and an unknown congestion control are TypeErrors', () => {
    for (const changes of [{ msll: 3 }, { congestionControl: 'hybla' }, { __proto__x: 1 }]) {
      expect(() => tcpConfig(changes as never)).toThrowError(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
      );
    }
  });

  test.each([
    ['ecn', 'sometimes'],
    ['synCookies', 'full'],
  ])('%s: an unknown mode is a TypeError that names the known ones', (field, mode) => {
    expect(() => tcpConfig({ [field]: mode })).toThrowError(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringMatching(new RegExp(`tcp\\.${field}.*one of: .+${mode}`)),
      }),
    );
  });

  test('rtoMin above rtoMax is a RangeError', () => {
    expect(() => tcpConfig({ rtoMin: 5_000, rtoMax: 1_000 })).toThrowError(/rtoMin/);
  });
});
