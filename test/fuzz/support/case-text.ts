import {
  type AckBase,
  type Case,
  type Change,
  type Option,
  type PacketStep,
  type SeqBase,
  type Setup,
  type Step,
  tcpStep,
  type Verb,
} from './step.js';

/**
 * A case as text: `setup` with JSON in the first line, then a step a line, as `op slot key=value ...`.
 * Keys that have their usual value are left out. Lines that begin with `#` are comments.
 */
export function formatCase({ setup, steps }: Case): string {
  return `setup ${JSON.stringify(setup)}\n${steps.map((step) => `${formatStep(step)}\n`).join('')}`;
}

const LETTERS = 'FSRP.UEW';

function formatFlags(flags: number): string {
  return [...LETTERS].filter((_, bit) => (flags & (1 << bit)) !== 0).join('') || '-';
}

function flagsOf(text: string): number {
  return [...text].reduce((flags, letter) => {
    const bit = LETTERS.indexOf(letter);
    return bit < 0 ? flags : flags | (1 << bit);
  }, 0);
}

export function formatStep(step: Step): string {
  switch (step.op) {
    case 'tcp': {
      const usual = tcpStep(step.slot, step.flags);
      const words = [`tcp ${step.slot} ${formatFlags(step.flags)}`];
      const signed = (n: number): string => (n < 0 ? `${n}` : `+${n}`);
      if (step.seqBase !== 'n' || step.seq !== 0) {
        words.push(`seq=${step.seqBase}${signed(step.seq)}`);
      }
      if (step.ackBase !== 'm' || step.ack !== 0) {
        words.push(`ack=${step.ackBase}${signed(step.ack)}`);
      }
      for (const key of ['len', 'win', 'urg', 'tos'] as const) {
        if (step[key] !== usual[key]) words.push(`${key}=${step[key]}`);
      }
      if (step.options.length > 0) words.push(`opt=${formatList(step.options)}`);
      return [...words, ...formatSent(step)].join(' ');
    }
    case 'icmp': {
      const { slot, type, code, rest, seq, quote, total } = step;
      const words = `icmp ${slot} ${type} ${code} ${rest} ${seq} ${quote} ${total}`;
      return [words, ...formatSent(step)].join(' ');
    }
    case 'raw':
      return [`raw ${Buffer.from(step.bytes).toString('hex') || '-'}`, ...formatSent(step)].join(
        ' ',
      );
    case 'again':
      return [`again ${step.back}`, ...formatSent(step)].join(' ');
    case 'wait':
      return `wait ${step.ms}`;
    case 'call':
      return `call ${step.slot} ${step.verb} ${step.n}`;
    case 'open':
    case 'fresh':
      return `${step.op} ${step.slot}`;
    case 'listen':
    case 'link':
      return `${step.op} ${step.on ? 'on' : 'off'}`;
  }
}

function formatSent(step: PacketStep): string[] {
  const words: string[] = [];
  if (step.changes.length > 0) words.push(`do=${formatList(step.changes)}`);
  if (step.join) words.push('join');
  return words;
}

function formatList(list: readonly (readonly [string, ...number[]])[]): string {
  return list.map((item) => item.join(':')).join(',');
}

/** @throws Error that names the line */
export function parseCase(text: string): Case {
  let setup: Setup | null = null;
  const steps: Step[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    try {
      if (trimmed.startsWith('setup ')) setup = JSON.parse(trimmed.slice(6)) as Setup;
      else steps.push(parseStep(trimmed));
    } catch (error) {
      throw new Error(`line ${i + 1}, '${trimmed}': ${(error as Error).message}`);
    }
  }
  if (setup === null) throw new Error('there is no line that begins with "setup"');
  return { setup, steps };
}

export function parseStep(line: string): Step {
  const words = line.split(/\s+/);
  const op = words[0]!;
  switch (op) {
    case 'tcp': {
      const step = tcpStep(integer(words[1]), flagsOf(words[2] ?? ''));
      for (const word of words.slice(3)) {
        const [key, value] = split(word);
        if (key === 'seq') {
          step.seqBase = value[0] as SeqBase;
          step.seq = integer(value.slice(1));
        } else if (key === 'ack') {
          step.ackBase = value[0] as AckBase;
          step.ack = integer(value.slice(1));
        } else if (key === 'len' || key === 'win' || key === 'urg' || key === 'tos') {
          step[key] = integer(value);
        } else if (key === 'opt') step.options = parseList(value);
        else parseSent(step, word);
      }
      return step;
    }
    case 'icmp': {
      const [slot, type, code, rest, seq, quote, total] = words.slice(1, 8).map(integer);
      const step = { op, slot, type, code, rest, seq, quote, total, changes: [], join: false };
      return withSent(step as unknown as PacketStep, words.slice(8));
    }
    case 'raw': {
      const bytes = new Uint8Array(Buffer.from(words[1] === '-' ? '' : (words[1] ?? ''), 'hex'));
      return withSent({ op, bytes, changes: [], join: false }, words.slice(2));
    }
    case 'again':
      return withSent({ op, back: integer(words[1]), changes: [], join: false }, words.slice(2));
    case 'wait':
      return { op, ms: Number(words[1]) };
    case 'call':
      return { op, slot: integer(words[1]), verb: words[2] as Verb, n: integer(words[3]) };
    case 'open':
    case 'fresh':
      return { op, slot: integer(words[1]) };
    case 'listen':
    case 'link':
      return { op, on: words[1] === 'on' };
    default:
      throw new Error(`no step is called '${op}'`);
  }
}

function withSent(step: PacketStep, words: readonly string[]): PacketStep {
  for (const word of words) parseSent(step, word);
  return step;
}

function parseSent(step: PacketStep, word: string): void {
  if (word === 'join') step.join = true;
  else if (word.startsWith('do=')) step.changes = parseList(word.slice(3)) as Change[];
  else throw new Error(`'${word}' means nothing here`);
}

function split(word: string): [string, string] {
  const at = word.indexOf('=');
  return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)];
}

function parseList(text: string): Option[] {
  return text.split(',').map((item) => {
    const [name, ...values] = item.split(':');
    return [name!, ...values.map(integer)];
  });
}

function integer(text: string | undefined): number {
  const value = Number(text);
  if (text === undefined || text === '' || !Number.isSafeInteger(value)) {
    throw new Error(`'${text ?? ''}' is no integer`);
  }
  return value;
}
