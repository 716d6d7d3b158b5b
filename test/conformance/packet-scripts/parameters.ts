import { type TcpConfig, tcpConfig } from '../../../src/tcp/config.js';
import type { Script } from './script.js';

/** What a parameter of a script means to each system. */
interface Parameter {
  readonly values: RegExp;
  /** For people. */
  readonly form: string;
  ours?(value: string): Partial<TcpConfig>;
  /** Names below `net.ipv4`. */
  linux?(value: string): Readonly<Record<string, string>>;
}

const SWITCH = { values: /^(on|off)$/, form: 'on or off' };
const COUNT = { values: /^\d+$/, form: 'a number' };
const SECONDS = { values: /^\d+$/, form: 'a number of seconds' };
const ECN: Readonly<Record<string, string>> = { off: '0', on: '1', passive: '2' };

const isOn = (value: string): boolean => value === 'on';
const bit = (value: string): string => (isOn(value) ? '1' : '0');

const PARAMETERS: Readonly<Record<string, Parameter>> = {
  mtu: COUNT,
  /** How late a packet may be, in ms. */
  tolerance: { values: /^\d+$/, form: 'a number of milliseconds' },
  /** The peer's initial sequence number. */
  'peer-isn': COUNT,
  timestamps: {
    ...SWITCH,
    ours: (value) => ({ timestamps: isOn(value) }),
    linux: (value) => ({ tcp_timestamps: bit(value) }),
  },
  sack: {
    ...SWITCH,
    ours: (value) => ({ sack: isOn(value) }),
    linux: (value) => ({ tcp_sack: bit(value) }),
  },
  'window-scaling': {
    ...SWITCH,
    ours: (value) => ({ windowScale: isOn(value) }),
    linux: (value) => ({ tcp_window_scaling: bit(value) }),
  },
  ecn: {
    values: /^(on|off|passive)$/,
    form: 'on, off or passive',
    ours: (value) => ({ ecn: value as TcpConfig['ecn'] }),
    linux: (value) => ({ tcp_ecn: ECN[value]! }),
  },
  congestion: {
    values: /^(reno|cubic)$/,
    form: 'reno or cubic',
    ours: (value) => ({ congestionControl: value === 'reno' ? 'newreno' : value }),
    linux: (value) => ({ tcp_congestion_control: value }),
  },
  'keepalive-time': {
    ...SECONDS,
    ours: (value) => ({ keepAliveIdle: Number(value) * 1000 }),
    linux: (value) => ({ tcp_keepalive_time: value }),
  },
  'keepalive-interval': {
    ...SECONDS,
    ours: (value) => ({ keepAliveInterval: Number(value) * 1000 }),
    linux: (value) => ({ tcp_keepalive_intvl: value }),
  },
  'keepalive-probes': {
    ...COUNT,
    ours: (value) => ({ keepAliveProbes: Number(value) }),
    linux: (value) => ({ tcp_keepalive_probes: value }),
  },
  'fin-timeout': {
    ...SECONDS,
    ours: (value) => ({ finWait2Timeout: Number(value) * 1000 }),
    linux: (value) => ({ tcp_fin_timeout: value }),
  },
  'syn-retries': {
    ...COUNT,
    // Linux gives up when the next one would be due: 1 + 2 + 4 ... seconds.
    ours: (value) => ({ synTimeout: (2 ** (Number(value) + 1) - 1) * 1000 }),
    linux: (value) => ({ tcp_syn_retries: value }),
  },
  'synack-retries': {
    ...COUNT,
    ours: (value) => ({ synAckRetries: Number(value) }),
    linux: (value) => ({ tcp_synack_retries: value }),
  },
  retries2: {
    ...COUNT,
    ours: (value) => ({ retransmitR2: Number(value) }),
    linux: (value) => ({ tcp_retries2: value }),
  },
  'orphan-retries': {
    ...COUNT,
    ours: (value) => ({ orphanRetries: Number(value) }),
    linux: (value) => ({ tcp_orphan_retries: value }),
  },
};

export const PARAMETER_NAMES: readonly string[] = Object.keys(PARAMETERS);

/** Where our defaults are not Linux's: `tcp_mtu_probing`, and a control that every kernel has. */
const OUR_DEFAULTS: Partial<TcpConfig> = { congestionControl: 'newreno', mtuProbing: false };

/** A bounded, quiet kernel that is the same for each script, whatever others have done before. */
const LINUX_DEFAULTS: Readonly<Record<string, string>> = {
  tcp_congestion_control: 'reno',
  tcp_no_metrics_save: '1',
  tcp_timestamps: '1',
  tcp_sack: '1',
  tcp_window_scaling: '1',
  tcp_ecn: '2',
  tcp_invalid_ratelimit: '0',
  tcp_syncookies: '0',
  tcp_rmem: '4096 131072 6291456',
  tcp_wmem: '4096 16384 4194304',
  icmp_ratelimit: '0',
};

const DEFAULT_MTU = 1500;
const DEFAULT_PEER_ISN = 1_000_000;

/** What is wrong with a parameter; null: nothing. */
export function checkParameter(name: string, value: string): string | null {
  const field = /^ours\.(\w+)$/.exec(name)?.[1];
  if (field !== undefined) {
    try {
      tcpConfig({ [field]: parseValue(value) });
      return null;
    } catch (error) {
      return `--${name}: ${(error as Error).message}`;
    }
  }
  if (/^linux\.\w+$/.test(name)) return null;
  const parameter = PARAMETERS[name];
  if (parameter === undefined) {
    return `--${name} is no parameter: ${PARAMETER_NAMES.join(', ')}, ours.FIELD of TcpConfig, linux.NAME below net.ipv4`;
  }
  return parameter.values.test(value) ? null : `--${name} takes ${parameter.form}, not '${value}'`;
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Our configuration for a script. */
export function oursFor(script: Script): Partial<TcpConfig> {
  const config: Record<string, unknown> = { ...OUR_DEFAULTS };
  for (const [name, value] of script.parameters) {
    Object.assign(config, PARAMETERS[name]?.ours?.(value) ?? {});
    if (name.startsWith('ours.')) config[name.slice(5)] = parseValue(value);
  }
  return config as Partial<TcpConfig>;
}

/** Settings below `net.ipv4` that a script needs. */
export function linuxFor(script: Script): Readonly<Record<string, string>> {
  const settings: Record<string, string> = { ...LINUX_DEFAULTS };
  for (const [name, value] of script.parameters) {
    Object.assign(settings, PARAMETERS[name]?.linux?.(value) ?? {});
    if (name.startsWith('linux.')) settings[name.slice(6)] = value;
  }
  return settings;
}

export function mtuOf(script: Script): number {
  return Number(script.parameters.get('mtu') ?? DEFAULT_MTU);
}

export function peerIsnOf(script: Script): number {
  return Number(script.parameters.get('peer-isn') ?? DEFAULT_PEER_ISN);
}

/** How late a packet may be in ms, when the script says so. */
export function toleranceOf(script: Script): number | null {
  const value = script.parameters.get('tolerance');
  return value === undefined ? null : Number(value);
}
