import type { Act, IcmpLine, Option, Pattern, SegmentLine } from './script.js';

const FLAG_ORDER = 'FSRP.UEW';
const ECN_FIELDS: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect0: 2, ce: 3 };
const UNREACHABLE_CODES: Readonly<Record<string, number>> = {
  net_unreachable: 0,
  host_unreachable: 1,
  protocol_unreachable: 2,
  port_unreachable: 3,
  frag_needed: 4,
  source_route_failed: 5,
  net_prohibited: 9,
  host_prohibited: 10,
  admin_prohibited: 13,
};
/** Type and code of the other ICMP errors. */
const OTHER_ICMP: Readonly<Record<string, readonly [number, number]>> = {
  source_quench: [4, 0],
  ttl_exceeded: [11, 0],
  reassembly_exceeded: [11, 1],
  parameter_problem: [12, 0],
};

/** What is wrong with a packet line; the caller adds the place. */
export class PacketError extends Error {}

/** Takes a line apart from left to right. */
class Words {
  constructor(public rest: string) {}

  /** What the pattern matches at the front, without the space behind it. */
  take(pattern: RegExp): RegExpExecArray | null {
    const match = new RegExp(`^(?:${pattern.source})(?=\\s|$)\\s*`).exec(this.rest);
    if (match !== null) this.rest = this.rest.slice(match[0].length);
    return match;
  }
}

/** @param direction `<` for a packet that arrives at the host, `>` for one that it is to send */
export function parsePacket(direction: '<' | '>', line: string): Act {
  const optional = direction === '>' && line.startsWith('?');
  const text = optional ? line.slice(1).trim() : line;
  if (text.trim() === 'nothing') {
    if (direction === '>') return { kind: 'nothing' };
    throw new PacketError('`nothing` can be expected (`> nothing`), not sent');
  }
  const words = new Words(text);
  const flow = Number(words.take(/#(\d)/)?.[1] ?? 1);
  if (words.take(/icmp/) !== null) {
    if (direction === '>') throw new PacketError('an ICMP error can be sent, not expected');
    return { kind: 'icmp', icmp: parseIcmp(words, flow) };
  }
  const segment = parseSegment(words, flow);
  if (direction === '>') return { kind: 'expect', segment, optional };
  checkSendable(segment);
  return { kind: 'inject', segment };
}

function parseSegment(words: Words, flow: number): SegmentLine {
  const ecnName = words.take(/\[(\w+)\]/)?.[1];
  const ecn = ecnName === undefined ? null : ECN_FIELDS[ecnName];
  if (ecn === undefined) {
    throw new PacketError(`[${ecnName}] is none of ${Object.keys(ECN_FIELDS).join(', ')}`);
  }
  const flags = parseFlags(words);
  const { seq, length } = parseSequence(words);
  const ack = takeNumber(words, 'ack');
  const win = takeNumber(words, 'win');
  const urg = takeNumber(words, 'urg');
  const list = words.take(/<([^>]*)>/)?.[1];
  const options = list === undefined ? [] : parseOptions(list);
  if (words.rest !== '') {
    throw new PacketError(
      `cannot read \`${words.rest}\`; a segment is FLAGS SEQ:END(LENGTH) [ack N] [win N] [urg N] [<OPTIONS>], in this order`,
    );
  }
  if (flags.includes('.') && ack === undefined) {
    throw new PacketError(`flags ${flags} have an ACK, so \`ack N\` (or \`ack *\`) has to follow`);
  }
  return {
    flow,
    flags,
    ecn,
    seq,
    length,
    options,
    ...(ack === undefined ? {} : { ack }),
    ...(win === undefined ? {} : { win }),
    ...(urg === undefined ? {} : { urg }),
  };
}

function parseFlags(words: Words): string {
  const letters = words.take(/[A-Z.]+|-/)?.[0].trim();
  if (letters === undefined) {
    throw new PacketError(
      `flags are missing in front of \`${words.rest}\`: letters of ${FLAG_ORDER} (. is ACK, W or C is CWR), or - for none`,
    );
  }
  if (letters === '-') return '';
  const set = new Set(letters.replace('C', 'W'));
  for (const letter of set) {
    if (!FLAG_ORDER.includes(letter)) {
      throw new PacketError(`\`${letter}\` in \`${letters}\` is no flag: ${FLAG_ORDER}`);
    }
  }
  return [...FLAG_ORDER].filter((letter) => set.has(letter)).join('');
}

const NUMBER = String.raw`\*|-?\d+(?:~-?\d+)?`;

function parseSequence(words: Words): { seq: Pattern; length: Pattern } {
  const whole = words.take(new RegExp(`(${NUMBER}):(${NUMBER})\\((${NUMBER})\\)`));
  if (whole === null) {
    if (words.take(/\*/) !== null) return { seq: null, length: null };
    throw new PacketError(
      `sequence numbers are missing in front of \`${words.rest}\`: SEQ:END(LENGTH), as 1:101(100), or *`,
    );
  }
  const [seq, end, length] = [whole[1]!, whole[2]!, whole[3]!].map(parsePattern) as Pattern[];
  if (isOne(seq!) && isOne(end!) && isOne(length!) && end!.from - seq!.from !== length!.from) {
    const right = seq!.from + length!.from;
    throw new PacketError(
      `${seq!.from}:${end!.from} are not ${length!.from} octets; from ${seq!.from} that ends at ${right} (SYN and FIN are not counted)`,
    );
  }
  return { seq: seq!, length: length! };
}

function takeNumber(words: Words, name: string): Pattern | undefined {
  const match = words.take(new RegExp(`${name}\\s+(${NUMBER})`));
  return match === null ? undefined : parsePattern(match[1]!);
}

export function parsePattern(text: string): Pattern {
  if (text === '*') return null;
  const [from = '', to = from] = text.split('~');
  return { from: Number(from), to: Number(to) };
}

function isOne(pattern: Pattern): boolean {
  return pattern !== null && pattern.from === pattern.to;
}

function parseOptions(list: string): readonly Option[] | null {
  if (list.trim() === '...') return null;
  return list
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map(parseOption);
}

function parseOption(text: string): Option {
  const number = new RegExp(`^(mss|wscale) (${NUMBER})$`).exec(text);
  if (number) return { kind: number[1] as 'mss' | 'wscale', value: parsePattern(number[2]!) };
  if (text === 'sackOK' || text === 'nop' || text === 'eol') return { kind: text };
  const ts = new RegExp(`^TS val (${NUMBER}) ecr (${NUMBER}|last)$`).exec(text);
  if (ts) {
    const ecr = ts[2] === 'last' ? 'last' : parsePattern(ts[2]!);
    return { kind: 'ts', val: parsePattern(ts[1]!), ecr };
  }
  const sack = /^sack((?: -?\d+:-?\d+)+)$/.exec(text);
  if (sack) {
    const blocks = sack[1]!
      .trim()
      .split(' ')
      .map((block) => block.split(':').map(Number) as [number, number]);
    return { kind: 'sack', blocks };
  }
  const raw = /^raw((?: [0-9a-f]{2})+)$/.exec(text);
  if (raw) {
    const bytes = raw[1]!
      .trim()
      .split(' ')
      .map((byte) => Number.parseInt(byte, 16));
    return { kind: 'raw', bytes };
  }
  throw new PacketError(
    `\`${text}\` is no option: mss N, wscale N, sackOK, TS val N ecr N, sack A:B ..., nop, eol, raw 02 04 ..., or <...> for any`,
  );
}

function checkSendable(segment: SegmentLine): void {
  const { seq, length, ack, win, urg, options } = segment;
  const values = [seq, length, ack, win, urg].filter((each) => each !== undefined);
  const inOptions = (options ?? []).flatMap((option) => {
    if (option.kind === 'ts') {
      return option.ecr === 'last' ? [option.val] : [option.val, option.ecr];
    }
    return option.kind === 'mss' || option.kind === 'wscale' ? [option.value] : [];
  });
  if (options === null || ![...values, ...inOptions].every(isOne)) {
    throw new PacketError('a packet that is sent needs exact numbers; *, ~ and ... are for `>`');
  }
}

function parseIcmp(words: Words, flow: number): IcmpLine {
  const [type, code] = parseIcmpKind(words);
  const mtu = words.take(/mtu (\d+)/);
  const quoted = words.take(/\[(-?\d+):(-?\d+)\((\d+)\)\]/);
  if (quoted === null || words.rest !== '') {
    throw new PacketError(
      `cannot read \`${words.rest}\`; an ICMP error is icmp KIND [mtu N] [SEQ:END(LENGTH)], the last the quoted segment in brackets`,
    );
  }
  const [seq, length] = [Number(quoted[1]), Number(quoted[3])];
  return { flow, type, code, mtu: Number(mtu?.[1] ?? 0), seq, length };
}

function parseIcmpKind(words: Words): readonly [number, number] {
  if (words.take(/unreachable/) !== null) {
    const name = words.take(/\w+/)?.[0].trim() ?? '';
    const code = UNREACHABLE_CODES[name];
    if (code !== undefined) return [3, code];
    throw new PacketError(
      `\`icmp unreachable ${name}\` is none of ${Object.keys(UNREACHABLE_CODES).join(', ')}`,
    );
  }
  const name = words.take(/\w+/)?.[0].trim() ?? '';
  const other = OTHER_ICMP[name];
  if (other !== undefined) return other;
  throw new PacketError(
    `\`icmp ${name}\` is none of unreachable, ${Object.keys(OTHER_ICMP).join(', ')}`,
  );
}
