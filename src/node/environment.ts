import { openTun } from '../link/tun.js';
import { Stack } from '../net/stack.js';

type Environment = Readonly<Record<string, string | undefined>>;

const HOST_ADDRESS = '10.7.0.1/24';
const ADDRESS = '10.7.0.2/24';

/** How the environment wants the device of a process's stack. */
export interface EnvironmentOptions {
  name: string | undefined;
  hostAddress: string;
  address: string;
  mtu: number | undefined;
  offload: boolean;
}

/**
 * The variables that `docs/node-programs.md` lists; null when none asks for a device.
 * @throws RangeError naming the variable
 */
export function readEnvironment(env: Environment): EnvironmentOptions | null {
  const { TUNTCP_DEVICE, TUNTCP_HOST_ADDRESS, TUNTCP_ADDRESS, TUNTCP_MTU } = env;
  const offload = flag(env, 'TUNTCP_OFFLOAD', true);
  if (!TUNTCP_DEVICE && !TUNTCP_HOST_ADDRESS && !TUNTCP_ADDRESS) return null;
  return {
    name: TUNTCP_DEVICE || undefined,
    hostAddress: TUNTCP_HOST_ADDRESS || HOST_ADDRESS,
    address: TUNTCP_ADDRESS || ADDRESS,
    mtu: TUNTCP_MTU ? bytes('TUNTCP_MTU', TUNTCP_MTU) : undefined,
    offload,
  };
}

function flag(env: Environment, name: string, otherwise: boolean): boolean {
  const text = env[name];
  if (text === undefined || text === '') return otherwise;
  if (text === '1' || text === '0') return text === '1';
  throw new RangeError(`${name} must be 1 or 0, not '${text}'`);
}

function bytes(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 576 && value <= 65_535) return value;
  throw new RangeError(`${name} must be 576 to 65535, not '${text}'`);
}

/** The stack that `options` describe: with a TUN device, or with only the loopback. */
export function stackFor(options: EnvironmentOptions | null): Stack {
  if (options === null) return new Stack();
  const { address, ...tun } = options;
  const link = openTun(tun);
  try {
    return new Stack({ link, address });
  } catch (error) {
    link.close();
    throw error;
  }
}
