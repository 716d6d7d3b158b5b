/** The words of iperf3's control connection, as iperf 3.12 speaks them; there is no RFC. */

export const PORT = 5201;
/** 36 printable characters and a NUL; every connection of a test begins with the same. */
export const COOKIE_LENGTH = 37;

/** One signed byte each. Those from PARAM_EXCHANGE on are said once per test, in this order. */
export const State = {
  TEST_START: 1,
  TEST_RUNNING: 2,
  TEST_END: 4,
  PARAM_EXCHANGE: 9,
  CREATE_STREAMS: 10,
  SERVER_TERMINATE: 11,
  CLIENT_TERMINATE: 12,
  EXCHANGE_RESULTS: 13,
  DISPLAY_RESULTS: 14,
  IPERF_DONE: 16,
  /** A test is under way already. */
  ACCESS_DENIED: -1,
  /** Followed by two int32: {@link ErrorCode}, and errno. */
  SERVER_ERROR: -2,
} as const;

/** What may follow SERVER_ERROR, of iperf3's many. */
export const ErrorCode = {
  DURATION: 5,
  STREAMS: 6,
  BLOCK_SIZE: 7,
  OMIT: 12,
  UNIMPLEMENTED: 13,
  PARAMETERS: 114,
} as const;

const ERROR_TEXT: Readonly<Record<number, string>> = {
  [ErrorCode.DURATION]: 'the test duration is too long',
  [ErrorCode.STREAMS]: 'the number of parallel streams is too large',
  [ErrorCode.BLOCK_SIZE]: 'the block size is too large',
  [ErrorCode.OMIT]: 'the time to omit is too long',
  [ErrorCode.UNIMPLEMENTED]: 'it does not implement what was asked for (such as UDP)',
  [ErrorCode.PARAMETERS]: 'it could not read the parameters',
};

/** The peer broke the protocol, went away, or refused. */
export class Iperf3Error extends Error {
  /** To be told to a client by SERVER_ERROR; 0 for nothing to tell. */
  readonly code: number;

  constructor(message: string, code = 0) {
    super(message);
    this.code = code;
  }
}

export function serverErrorText(code: number): string {
  return ERROR_TEXT[code] ?? `error ${code} of iperf3`;
}

/** What a client asks for. One of `time`, `bytes` and `blocks` is not 0; whichever comes first ends it. */
export interface TestParameters {
  /** Seconds, 0 to 86,400; 0 for no limit. */
  time: number;
  /** Seconds before what is counted, 0 to 600. */
  omit: number;
  /** Of all streams; 0 for no limit. */
  bytes: number;
  /** Blocks of `length`; 0 for no limit. */
  blocks: number;
  /** Bytes per write, 1 to 1 MiB. */
  length: number;
  /** Streams each way, 1 to 128. */
  parallel: number;
  /** The server sends. */
  reverse: boolean;
  /** Both send, on streams of their own. */
  bidir: boolean;
  noDelay: boolean;
  /** Bit/s per stream; 0 for as fast as can be. */
  bitrate: number;
  /** The name of a congestion control that is wished for. */
  congestion: string | null;
  serverOutput: boolean;
  title: string | null;
}

export const LIMITS = { time: 86_400, omit: 600, length: 1024 * 1024, parallel: 128 } as const;
const DEFAULT_LENGTH = 128 * 1024;

export function encodeParameters(parameters: TestParameters): object {
  const { time, omit, bytes, blocks, length, parallel, bitrate } = parameters;
  return {
    tcp: true,
    omit,
    time,
    num: bytes,
    blockcount: blocks,
    parallel,
    len: length,
    bandwidth: bitrate,
    pacing_timer: 1000,
    client_version: '3.12',
    ...(parameters.reverse && { reverse: true }),
    ...(parameters.bidir && { bidirectional: true }),
    ...(parameters.noDelay && { nodelay: true }),
    ...(parameters.congestion !== null && { congestion: parameters.congestion }),
    ...(parameters.serverOutput && { get_server_output: 1 }),
    ...(parameters.title !== null && { title: parameters.title }),
  };
}

/** @throws Iperf3Error with a code for what is malformed, too large or not implemented */
export function decodeParameters(json: unknown): TestParameters {
  const fields = object(json);
  if (fields === null) throw new Iperf3Error('no object of parameters', ErrorCode.PARAMETERS);
  if (fields.udp || fields.sctp) {
    throw new Iperf3Error('asks for another protocol than TCP', ErrorCode.UNIMPLEMENTED);
  }
  const number = (name: string, absent: number, max: number, code: number): number => {
    const value = fields[name] ?? absent;
    if (typeof value === 'number' && value >= 0 && value <= max) return value;
    throw new Iperf3Error(`parameter ${name} is not 0 to ${max}`, code);
  };
  const count = (name: string): number =>
    Math.floor(number(name, 0, Number.MAX_SAFE_INTEGER, ErrorCode.PARAMETERS));
  const length = number('len', DEFAULT_LENGTH, LIMITS.length, ErrorCode.BLOCK_SIZE);
  return {
    time: number('time', 0, LIMITS.time, ErrorCode.DURATION),
    omit: number('omit', 0, LIMITS.omit, ErrorCode.OMIT),
    bytes: count('num'),
    blocks: count('blockcount'),
    length: Math.max(1, Math.floor(length)),
    parallel: Math.max(1, Math.floor(number('parallel', 1, LIMITS.parallel, ErrorCode.STREAMS))),
    reverse: Boolean(fields.reverse),
    bidir: Boolean(fields.bidirectional),
    noDelay: Boolean(fields.nodelay),
    bitrate: count('bandwidth'),
    congestion: text(fields.congestion),
    serverOutput: Boolean(fields.get_server_output),
    title: text(fields.title),
  };
}

/** Percent of one core. */
export interface Cpu {
  total: number;
  user: number;
  system: number;
}

export interface StreamResult {
  id: number;
  bytes: number;
  /** Null when the sender does not know, or it is the receiver. */
  retransmits: number | null;
  /** Seconds since the start of what is counted. */
  start: number;
  end: number;
}

/** What either end tells the other when a test is over. */
export interface TestResults {
  cpu: Cpu;
  /** Of the streams that this end sends; null when it sends none. */
  senderHasRetransmits: boolean | null;
  congestion: string | null;
  streams: StreamResult[];
  serverOutput: string | null;
  serverOutputJson: unknown;
}

export function encodeResults(results: TestResults): object {
  const { cpu, senderHasRetransmits, congestion, serverOutput } = results;
  return {
    cpu_util_total: cpu.total,
    cpu_util_user: cpu.user,
    cpu_util_system: cpu.system,
    sender_has_retransmits: senderHasRetransmits === null ? -1 : Number(senderHasRetransmits),
    ...(congestion !== null && { congestion_used: congestion }),
    ...(serverOutput !== null && { server_output_text: serverOutput }),
    streams: results.streams.map(({ id, bytes, retransmits, start, end }) => ({
      id,
      bytes,
      retransmits: retransmits ?? -1,
      jitter: 0,
      errors: 0,
      packets: 0,
      start_time: start,
      end_time: end,
    })),
  };
}

/** @throws Iperf3Error for what is malformed */
export function decodeResults(json: unknown): TestResults {
  const fields = object(json);
  const list = fields?.streams;
  if (fields === null || !Array.isArray(list) || list.length > 2 * LIMITS.parallel) {
    throw new Iperf3Error('the results of the peer make no sense');
  }
  const has = amount(fields.sender_has_retransmits, -1);
  return {
    cpu: {
      total: amount(fields.cpu_util_total, 0),
      user: amount(fields.cpu_util_user, 0),
      system: amount(fields.cpu_util_system, 0),
    },
    senderHasRetransmits: has < 0 ? null : has > 0,
    congestion: text(fields.congestion_used),
    streams: list.map((each) => decodeStream(object(each) ?? {})),
    serverOutput: text(fields.server_output_text),
    serverOutputJson: fields.server_output_json ?? null,
  };
}

function decodeStream(fields: Record<string, unknown>): StreamResult {
  const retransmits = amount(fields.retransmits, -1);
  return {
    id: amount(fields.id, 0),
    bytes: amount(fields.bytes, 0),
    retransmits: retransmits < 0 ? null : retransmits,
    start: amount(fields.start_time, 0),
    end: amount(fields.end_time, 0),
  };
}

function object(value: unknown): Record<string, unknown> | null {
  const right = typeof value === 'object' && value !== null && !Array.isArray(value);
  return right ? (value as Record<string, unknown>) : null;
}

function amount(value: unknown, absent: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : absent;
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** iperf3 numbers the streams of a test 1, 3, 4, 5 and so on. */
export function streamId(index: number): number {
  return index === 0 ? 1 : index + 2;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** A cookie of 36 random bytes. */
export function makeCookie(random: Uint8Array): Buffer {
  const cookie = Buffer.alloc(COOKIE_LENGTH);
  for (let i = 0; i < COOKIE_LENGTH - 1; i++) cookie[i] = ALPHABET.charCodeAt(random[i]! & 31);
  return cookie;
}

export function isCookie(bytes: Uint8Array): boolean {
  const last = COOKIE_LENGTH - 1;
  if (bytes.length !== COOKIE_LENGTH || bytes[last] !== 0) return false;
  for (let i = 0; i < last; i++) if (bytes[i]! < 0x20 || bytes[i]! > 0x7e) return false;
  return true;
}
