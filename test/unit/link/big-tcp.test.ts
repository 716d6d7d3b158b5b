import { expect, it } from 'vitest';
import { takesBigTcp } from '../../../src/link/big-tcp.js';

it.each([
  ['6.18.5', true],
  ['6.3.0-rc1', true],
  ['10.0.1-generic', true],
  ['6.2.16', false],
  ['5.15.0-91-generic', false],
  ['4.4.0', false],
  ['unknown', false],
])('knows whether Linux %s takes packets of more than 64 KiB', (release, takes) => {
  expect(takesBigTcp(release)).toBe(takes);
});
