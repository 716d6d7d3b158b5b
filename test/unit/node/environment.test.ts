import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../../src/node/environment.js';

describe('the environment of a process on our TCP', () => {
  it('asks for the loopback alone unless it says more', () => {
    expect(readEnvironment({})).toBeNull();
    expect(readEnvironment({ TUNTCP_ADDRESS: '', TUNTCP_MTU: '1400' })).toBeNull();
  });

  it('has defaults for what is left out', () => {
    expect(readEnvironment({ TUNTCP_DEVICE: 'tun7' })).toEqual({
      name: 'tun7',
      hostAddress: '10.7.0.1/24',
      address: '10.7.0.2/24',
      mtu: undefined,
      offload: true,
    });
  });

  it('takes every variable', () => {
    const env = {
      TUNTCP_ADDRESS: '10.8.0.2/16',
      TUNTCP_HOST_ADDRESS: '10.8.0.1/16',
      TUNTCP_MTU: '1400',
      TUNTCP_OFFLOAD: '0',
    };
    expect(readEnvironment(env)).toEqual({
      name: undefined,
      hostAddress: '10.8.0.1/16',
      address: '10.8.0.2/16',
      mtu: 1400,
      offload: false,
    });
  });

  it.each([
    ['TUNTCP_MTU', '500'],
    ['TUNTCP_MTU', 'large'],
    ['TUNTCP_OFFLOAD', 'yes'],
  ])('refuses %s=%s by name', (name, value) => {
    expect(() => readEnvironment({ TUNTCP_DEVICE: 'tun0', [name]: value })).toThrow(
      expect.objectContaining({ name: 'RangeError', message: expect.stringContaining(name) }),
    );
  });
});
