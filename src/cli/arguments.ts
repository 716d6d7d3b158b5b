import { statSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import type { ParseArgsConfig } from 'node:util';
import { parseArgs } from 'node:util';
import { UsageError } from './command.js';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends Options> = ReturnType<
  typeof parseArgs<{ options: T; allowPositionals: true; strict: true }>
>;

/** `parseArgs` of Node; what it objects to becomes a {@link UsageError} of one short line. */
export function parse<const T extends Options>(argv: string[], options: T): Parsed<T> {
  try {
    return parseArgs({ args: argv, options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = (error as Error).message.split(/\.\s|\n/)[0]!.replace(/\.$/, '');
    throw new UsageError(message.charAt(0).toLowerCase() + message.slice(1));
  }
}

/** A decimal number from `min` to `max`; `what` names it in the error. */
export function integer(text: string, what: string, min: number, max: number): number {
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || value < min || value > max) {
    throw new UsageError(`${what} must be ${min} to ${max}, not '${text}'`);
  }
  return value;
}

export function port(text: string, what = 'the port'): number {
  return integer(text, what, 1, 65_535);
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** A number of bytes, such as `4096`, `100k` or `1.5G` with units of thousands, from `min` on. */
export function byteCount(text: string, what: string, min: number): number {
  const [, number = '', unit = ''] = /^(\d{1,12}(?:\.\d+)?)([kmg]?)$/i.exec(text) ?? [];
  const value = Math.floor(Number(number) * UNITS[unit.toLowerCase()]!);
  if (number !== '' && value >= min) return value;
  throw new UsageError(`${what} takes a number of bytes, ${min} or more, not '${text}'`);
}

/** Seconds, fractions allowed, as ms. */
export function seconds(text: string, what: string): number {
  const value = Number(text);
  if (!/^\d{1,6}(\.\d+)?$/.test(text)) {
    throw new UsageError(`${what} takes a number of seconds, not '${text}'`);
  }
  return value * 1000;
}

/** `--interval`, the time between two looks at a stack, as ms. */
export function lookInterval(text: string): number {
  const interval = seconds(text, '--interval');
  if (interval < 100 || interval > 60_000) throw new UsageError('--interval must be 0.1 to 60');
  return interval;
}

/** The options of every command that brings up a device. */
export const HOST_OPTIONS = {
  host: { type: 'string', default: '10.7.0.1/24' },
  address: { type: 'string', default: '10.7.0.2/24' },
  mtu: { type: 'string' },
  'no-offload': { type: 'boolean', default: false },
} as const;

export const HOST_HELP = `      --host ADDRESS/PREFIX     the kernel's address on the device (10.7.0.1/24)
      --address ADDRESS/PREFIX  ours, in the same network (10.7.0.2/24)
      --mtu BYTES               largest packet on the device, 576 to 65535 (1500)
      --no-offload              plain packets: no segmentation or checksums left to the kernel`;

export interface HostSettings {
  hostAddress: string;
  /** With its prefix. */
  address: string;
  mtu: number | undefined;
  offload: boolean;
}

export function hostSettings(values: {
  host: string;
  address: string;
  mtu?: string | undefined;
  'no-offload': boolean;
}): HostSettings {
  const host = cidr(values.host, '--host');
  const own = cidr(values.address, '--address');
  const mask = host.prefix === 0 ? 0 : -1 << (32 - host.prefix);
  if (((host.bits ^ own.bits) & mask) !== 0) {
    throw new UsageError(
      `--address ${values.address} is not in the network of --host ${values.host}`,
    );
  }
  if (host.bits === own.bits) throw new UsageError('--host and --address must differ');
  return {
    hostAddress: values.host,
    address: values.address,
    mtu: values.mtu === undefined ? undefined : integer(values.mtu, '--mtu', 576, 65_535),
    offload: !values['no-offload'],
  };
}

function cidr(text: string, option: string): { bits: number; prefix: number } {
  const [address = '', prefix = ''] = text.split('/');
  const length = Number(prefix);
  const right = /^\d{1,2}$/.test(prefix) && length >= 1 && length <= 31;
  if (!isIPv4(address) || !right || text.split('/').length !== 2) {
    throw new UsageError(`${option} takes ADDRESS/PREFIX like 10.7.0.1/24, not '${text}'`);
  }
  const bits = address.split('.').reduce((all, part) => (all << 8) | Number(part), 0);
  return { bits, prefix: length };
}

/** `--dir`. */
export function directory(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`--dir ${path}: no such directory`);
  }
  return path;
}

/** The address without its prefix. */
export function bare(address: string): string {
  return address.replace(/\/.*/, '');
}
