import type { Random } from '../../../src/base/random.js';
import { pick } from './generate.js';
import type { Change, Option, TcpStep } from './step.js';

const SILLY: readonly Option[] = [
  ['mss', 0],
  ['mss', 1],
  ['mss', 65_535],
  ['ws', 15],
  ['ws', 255],
  ['sok'],
  ['ts', -100_000, 0],
  ['ts', 0, 100_000],
  ['ts', 0x7fff_ffff, 0],
  ['ts', 0, -1],
  ['sack', 0, 1],
  ['sack', 1_000, 500],
  ['sack', -5_000, 5_000],
  ['sack', 1_000_000, 2_000_000],
  ['sack', 1, 2, 3, 4, 5, 6, 7, 8],
  ['sack', 0, 0],
  ['raw', 0],
  ['raw', 1, 1, 1, 1],
  ['raw', 2, 0],
  ['raw', 5, 2],
  ['raw', 5, 9, 0, 0, 0, 0, 0, 0, 0],
  ['raw', 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ['raw', 253, 4, 1, 2],
  ['raw', 34, 10, 1, 2, 3, 4, 5, 6, 7, 8],
  ['raw', 3, 4, 9, 9],
  ['raw', 255, 255],
  ['raw', 4, 3, 0],
];
const IP_OPTIONS: readonly (readonly number[])[] = [
  [1, 1, 1, 0],
  [7, 7, 4, 0, 0, 0, 0],
  [131, 7, 4, 10, 0, 0, 9],
  [68, 12, 5, 0, 0, 0, 0, 0],
  [148, 4, 0, 0],
  [130, 0],
  [7, 255],
];

/** Makes one to three things about a packet other than they should be. */
export function mutate(random: Random, step: TcpStep): TcpStep {
  for (let n = 1 + random.int(3); n > 0; n--) mutateOnce(random, step);
  return step;
}

function mutateOnce(random: Random, step: TcpStep): void {
  switch (random.int(16)) {
    case 0:
      step.seq += offset(random);
      return;
    case 1:
      step.seqBase = pick(random, ['i', 'r', 'e', 'n', '0']);
      return;
    case 2:
      step.ack += offset(random);
      return;
    case 3:
      step.ackBase = pick(random, ['i', 'u', 'm', '0']);
      return;
    case 4:
      step.flags ^= 1 << random.int(8);
      return;
    case 5:
      step.flags = random.int(256);
      return;
    case 6:
      step.win = pick(random, [0, 1, 100, 32_768, 65_535, random.int(65_536)]);
      return;
    case 7:
      step.len = pick(random, [0, 1, 48, 1_461, 3_000, 9_000, 65_000]);
      return;
    case 8:
      mutateOptions(random, step);
      return;
    case 9:
      step.options.push(pick(random, SILLY));
      return;
    case 10:
      step.tos = random.int(256);
      step.urg = pick(random, [0, 1, 65_535, random.int(65_536)]);
      return;
    default:
      step.changes.push(change(random));
  }
}

function mutateOptions(random: Random, step: TcpStep): void {
  const { options } = step;
  const at = random.int(options.length + 1);
  switch (random.int(4)) {
    case 0:
      options.splice(at, 1);
      return;
    case 1:
      if (options[at] !== undefined) options.push(options[at]);
      return;
    case 2:
      options.reverse();
      return;
    default: {
      const option = options[at];
      if (option === undefined) return;
      const values = option.slice(1) as number[];
      const which = random.int(Math.max(1, values.length));
      if (values[which] !== undefined) values[which] = values[which] + offset(random);
      options[at] = [option[0], ...values];
    }
  }
}

/** Little, about a window, or anything. */
function offset(random: Random): number {
  switch (random.int(4)) {
    case 0:
      return random.int(7) - 3;
    case 1:
      return random.int(4_000) - 2_000;
    case 2:
      return random.int(200_000) - 100_000;
    default:
      return random.next() | 0;
  }
}

function change(random: Random): Change {
  switch (random.int(14)) {
    case 0:
      return ['cut', 1 + random.int(60)];
    case 1:
      return ['pad', 1 + random.int(60)];
    case 2:
      return ['total', random.int(100) - 50];
    case 3:
      return ['doff', random.int(16)];
    case 4:
      return ['badsum'];
    case 5:
      return ['badip'];
    case 6:
    case 7:
      return ['frag', 8 << random.int(8), random.int(32)];
    case 8:
      return ['ipopt', ...pick(random, IP_OPTIONS)];
    case 9:
      return ['twice'];
    case 10:
      return random.int(2) === 0 ? ['gso', pick(random, [1, 100, 536, 1_460, 65_535])] : ['vouch'];
    case 11:
      return ['alter'];
    case 12:
      return pick(random, [
        ['ttl', 0],
        ['proto', 17],
        ['proto', random.int(256)],
        ['src', 0x0a000002],
        ['src', 0x7f000001],
        ['src', -1],
        ['dst', 0x0a000003],
        ['dst', -1],
        ['sport', 0],
        ['dport', 0],
        ['dport', 81],
        ['dport', 40_000],
      ] as Change[]);
    default:
      return ['byte', random.int(90), random.int(256)];
  }
}
