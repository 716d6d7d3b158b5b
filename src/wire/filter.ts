import { PROTOCOL_ICMP, PROTOCOL_TCP, parseAddress, parseCidr } from './ipv4.js';
import { ACK, CWR, ECE, FIN, PSH, RST, SYN, URG } from './segment.js';

/** A filter looks at no more of a packet than these first bytes: its headers. */
export const FILTERED_BYTES = 80;

/**
 * Whether the IPv4 packet of `length` bytes at `offset` is wanted. Allocates nothing, and looks only
 * at the first {@link FILTERED_BYTES} bytes.
 */
export type PacketFilter = (bytes: Uint8Array, offset: number, length: number) => boolean;

/** A filter that cannot be understood; the message names the word and where it stands. */
export class FilterError extends TypeError {
  readonly code = 'ERR_INVALID_FILTER';

  /**
   * @param word the word as it was written; empty at the end of the filter
   * @param position of its first character, from 1 on
   */
  constructor(
    problem: string,
    readonly word: string,
    readonly position: number,
  ) {
    super(`${problem} at position ${position} of the filter`);
  }
}

const PROTOCOL_UDP = 17;
const PROTOCOL_SCTP = 132;
const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['tcp', PROTOCOL_TCP],
  ['udp', PROTOCOL_UDP],
  ['icmp', PROTOCOL_ICMP],
]);

const FLAGS: ReadonlyMap<string, number> = new Map([
  ['fin', FIN],
  ['syn', SYN],
  ['rst', RST],
  ['psh', PSH],
  ['ack', ACK],
  ['urg', URG],
  ['ece', ECE],
  ['cwr', CWR],
]);

/** A deeper nesting of parentheses and `not` is refused. */
const MAX_DEPTH = 200;

/**
 * Compiles a filter in the language of tcpdump, or the most of it that is used with TCP:
 *
 * - `host A`, `net A/LENGTH`, `port N`, each after `src` or `dst` if wanted; `src A` is `src host A`
 * - `tcp`, `udp`, `icmp`, `ip`; the first two in front of a port too (`tcp dst port 80`)
 * - `syn`, `ack`, `fin`, `rst`, `psh`, `urg`, `ece`, `cwr`, or `tcp[syn]`: the control bit is set
 * - `less N`, `greater N`: the packet has at most, at least N bytes
 * - `not` (`!`), `and` (`&&`), `or` (`||`), parentheses; `port 80 or 443` repeats what stood before
 *
 * As in tcpdump, `not` binds strongest, and `and` and `or` equally, from left to right. Nothing at
 * all matches every packet. A port is that of the first fragment; other fragments have none.
 *
 * @throws FilterError
 */
export function compileFilter(expression: string): PacketFilter {
  const parser = new Parser(expression);
  return parser.whole();
}

/** What a value means, until the next qualifier says otherwise. */
interface Qualifiers {
  protocol: number | null;
  source: boolean;
  destination: boolean;
  kind: 'host' | 'net' | 'port';
}

interface Token {
  text: string;
  position: number;
}

class Parser {
  readonly #tokens: Token[] = [];
  readonly #end: Token;
  #next = 0;
  #depth = 0;
  #latest: Qualifiers | null = null;

  constructor(expression: string) {
    for (const match of expression.matchAll(/\s+|[()![\]]|&&|\|\||[^\s()![\]&|]+|./g)) {
      if (match[0].trim() !== '') this.#tokens.push({ text: match[0], position: match.index + 1 });
    }
    this.#end = { text: '', position: expression.length + 1 };
  }

  whole(): PacketFilter {
    if (this.#tokens.length === 0) return () => true;
    const filter = this.#expression();
    if (this.#next < this.#tokens.length) throw this.#unexpected("'and' or 'or'");
    return filter;
  }

  get #token(): Token {
    return this.#tokens[this.#next] ?? this.#end;
  }

  #take(...words: string[]): boolean {
    if (!words.includes(this.#token.text)) return false;
    this.#next++;
    return true;
  }

  #expect(word: string): void {
    if (!this.#take(word)) throw this.#unexpected(`'${word}'`);
  }

  #unexpected(wanted: string): FilterError {
    const { text, position } = this.#token;
    const problem = text === '' ? `${wanted} is missing` : `${wanted} expected, not '${text}',`;
    return new FilterError(problem, text, position);
  }

  #expression(): PacketFilter {
    let left = this.#term();
    for (;;) {
      if (this.#take('and', '&&')) left = both(left, this.#term());
      else if (this.#take('or', '||')) left = either(left, this.#term());
      else return left;
    }
  }

  #term(): PacketFilter {
    if (++this.#depth > MAX_DEPTH) {
      throw new FilterError('too deep a nesting', this.#token.text, this.#token.position);
    }
    let filter: PacketFilter;
    if (this.#take('not', '!')) {
      filter = negation(this.#term());
    } else if (this.#take('(')) {
      filter = this.#expression();
      this.#expect(')');
    } else {
      filter = this.#primitive();
    }
    this.#depth--;
    return filter;
  }

  #primitive(): PacketFilter {
    const { text, position } = this.#token;
    const flag = FLAGS.get(text);
    if (flag !== undefined) {
      this.#next++;
      return hasFlag(flag);
    }
    if (this.#take('ip')) return isIp;
    if (this.#take('less')) return atMost(this.#number(0, 65_535, 'a number of bytes'));
    if (this.#take('greater')) return atLeast(this.#number(0, 65_535, 'a number of bytes'));
    const protocol = PROTOCOLS.get(text);
    if (protocol !== undefined) return this.#protocol(protocol);
    const qualifiers = this.#qualifiers(null);
    if (qualifiers !== null) return this.#value(qualifiers);
    if (this.#latest !== null && /^\d/.test(text)) return this.#value(this.#latest);
    if (text === '') throw this.#unexpected('something to match');
    throw new FilterError(`unknown word '${text}'`, text, position);
  }

  /** `tcp`, alone, as `tcp[syn]`, or in front of a host, a network or a port. */
  #protocol(protocol: number): PacketFilter {
    this.#next++;
    if (protocol === PROTOCOL_TCP && this.#take('[')) {
      const flag = FLAGS.get(this.#token.text);
      if (flag === undefined) throw this.#unexpected(`a control bit (${[...FLAGS.keys()]})`);
      this.#next++;
      this.#expect(']');
      return hasFlag(flag);
    }
    const qualifiers = this.#qualifiers(protocol);
    if (qualifiers === null) return isProtocol(protocol);
    if (qualifiers.kind === 'port' && protocol === PROTOCOL_ICMP) {
      const { text, position } = this.#tokens[this.#next - 1]!;
      throw new FilterError("icmp has no 'port'", text, position);
    }
    return this.#value(qualifiers);
  }

  /** `[src|dst] [host|net|port]`; null when there is none of it. */
  #qualifiers(protocol: number | null): Qualifiers | null {
    const source = this.#take('src');
    const destination = !source && this.#take('dst');
    const { text } = this.#token;
    const both = !source && !destination;
    if (text === 'host' || text === 'net' || text === 'port') this.#next++;
    else if (both) return null;
    const kind = text === 'net' || text === 'port' ? text : 'host';
    this.#latest = { protocol, source: source || both, destination: destination || both, kind };
    return this.#latest;
  }

  #value({ protocol, source, destination, kind }: Qualifiers): PacketFilter {
    let filter: PacketFilter;
    if (kind === 'port') {
      return hasPort(this.#number(0, 65_535, 'a port'), protocol, source, destination);
    }
    const { text, position } = this.#token;
    if (kind === 'host') {
      const address = parseAddress(text);
      if (address === null) throw this.#unexpected('an IPv4 address');
      filter = hasAddress(address, -1, source, destination);
    } else {
      const network = parseCidr(text);
      if (network === null) throw this.#unexpected('a network like 10.7.0.0/24');
      const { address, prefix } = network;
      const mask = prefix === 0 ? 0 : -1 << (32 - prefix);
      if ((address & ~mask) !== 0) {
        const problem = `'${text}' has bits set beyond its /${prefix},`;
        throw new FilterError(problem, text, position);
      }
      filter = hasAddress(address, mask, source, destination);
    }
    this.#next++;
    return protocol === null ? filter : both(isProtocol(protocol), filter);
  }

  #number(min: number, max: number, what: string): number {
    const { text } = this.#token;
    const value = Number(text);
    if (!/^\d{1,6}$/.test(text) || value < min || value > max) throw this.#unexpected(what);
    this.#next++;
    return value;
  }
}

function both(left: PacketFilter, right: PacketFilter): PacketFilter {
  return (bytes, offset, length) => left(bytes, offset, length) && right(bytes, offset, length);
}

function either(left: PacketFilter, right: PacketFilter): PacketFilter {
  return (bytes, offset, length) => left(bytes, offset, length) || right(bytes, offset, length);
}

function negation(filter: PacketFilter): PacketFilter {
  return (bytes, offset, length) => !filter(bytes, offset, length);
}

function isIp(bytes: Uint8Array, offset: number, length: number): boolean {
  return length >= 20 && bytes[offset]! >> 4 === 4;
}

function isProtocol(protocol: number): PacketFilter {
  return (bytes, offset, length) => isIp(bytes, offset, length) && bytes[offset + 9] === protocol;
}

function atMost(limit: number): PacketFilter {
  return (_bytes, _offset, length) => length <= limit;
}

function atLeast(limit: number): PacketFilter {
  return (_bytes, _offset, length) => length >= limit;
}

function hasAddress(
  address: number,
  mask: number,
  source: boolean,
  destination: boolean,
): PacketFilter {
  return (bytes, offset, length) =>
    isIp(bytes, offset, length) &&
    ((source && (int32(bytes, offset + 12) & mask) === address) ||
      (destination && (int32(bytes, offset + 16) & mask) === address));
}

function hasPort(
  port: number,
  protocol: number | null,
  source: boolean,
  destination: boolean,
): PacketFilter {
  return (bytes, offset, length) => {
    const at = transport(bytes, offset, length, 4);
    if (at < 0) return false;
    const actual = bytes[offset + 9]!;
    if (protocol === null ? !hasPorts(actual) : actual !== protocol) return false;
    return (
      (source && ((bytes[at]! << 8) | bytes[at + 1]!) === port) ||
      (destination && ((bytes[at + 2]! << 8) | bytes[at + 3]!) === port)
    );
  };
}

function hasPorts(protocol: number): boolean {
  return protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP;
}

function hasFlag(flag: number): PacketFilter {
  return (bytes, offset, length) => {
    const at = transport(bytes, offset, length, 14);
    return at >= 0 && bytes[offset + 9] === PROTOCOL_TCP && (bytes[at + 13]! & flag) !== 0;
  };
}

/** Where the transport header is, when `bytes` of it are there; -1 otherwise. */
function transport(bytes: Uint8Array, offset: number, length: number, needed: number): number {
  if (!isIp(bytes, offset, length)) return -1;
  if (((bytes[offset + 6]! & 0x1f) | bytes[offset + 7]!) !== 0) return -1;
  const header = (bytes[offset]! & 15) << 2;
  return header + needed <= length ? offset + header : -1;
}

function int32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
