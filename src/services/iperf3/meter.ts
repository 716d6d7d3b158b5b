import { systemRuntime } from '../../runtime/system.js';
import type { Cpu, StreamResult, TestResults } from './protocol.js';
import type { DataStream, TcpFigures } from './stream.js';

/** A part of an interval below which a last one is not worth a line. */
const TOO_SHORT = 0.1;

/** What one stream did in an interval or a test. Times are seconds since the start of what is counted. */
export interface StreamFigures {
  stream: DataStream;
  start: number;
  end: number;
  bytes: number;
  /** Segments sent again in this time; null when the stack does not tell, or we receive. */
  retransmits: number | null;
  tcp: TcpFigures | null;
}

export interface Interval {
  start: number;
  end: number;
  /** From before the start of what is counted. */
  omitted: boolean;
  streams: StreamFigures[];
}

/** Of one stream, over the intervals. */
export interface Extremes {
  maxCwnd: number;
  maxWindow: number;
  maxRtt: number;
  minRtt: number;
  meanRtt: number;
}

/** How a test went, as this end saw it and as the other end says. */
export interface Summary {
  seconds: number;
  cpu: Cpu;
  streams: (StreamFigures & { extremes: Extremes })[];
  /** Null when the test did not come to its end. */
  remote: TestResults | null;
}

export interface MeterOptions {
  /** Seconds. */
  omit: number;
  /** Seconds of what is counted; 0 for no limit. */
  time: number;
  /** Seconds; 0 for no intervals. */
  interval: number;
  onInterval: (interval: Interval) => void;
  /** `time` is over. */
  onOver: () => void;
}

interface Mark {
  bytes: number;
  retransmits: number;
}

interface Account {
  stream: DataStream;
  /** At the start of what is counted, and of the interval. */
  base: Mark;
  last: Mark;
  /** What is final. */
  end: Mark | null;
  samples: number;
  rttSum: number;
  extremes: Extremes;
}

/** Reads the streams of a test from time to time, and tells what they did in between. */
export class Meter {
  readonly #options: MeterOptions;
  readonly #accounts: Account[];
  readonly #cpu = process.cpuUsage();
  readonly #begun = systemRuntime().now();
  #start = this.#begun;
  #intervalStart = 0;
  #omitting: boolean;
  #stopped: number | null = null;
  #ticker: NodeJS.Timeout | undefined;
  #phase: NodeJS.Timeout | undefined;

  /** Starts at once. */
  constructor(streams: readonly DataStream[], options: MeterOptions) {
    this.#options = options;
    this.#accounts = streams.map(account);
    this.#omitting = options.omit > 0;
    if (this.#omitting) this.#phase = setTimeout(() => this.#endOmission(), options.omit * 1000);
    else this.#startClock();
    this.#startTicks(this.#omitting ? options.omit : options.time);
  }

  get omitting(): boolean {
    return this.#omitting;
  }

  /** Bytes counted, of all streams that send or of all that receive. */
  bytes(sends: boolean): number {
    let sum = 0;
    for (const each of this.#accounts) {
      if (each.stream.sends === sends) sum += markOf(each).bytes - each.base.bytes;
    }
    return sum;
  }

  /** Ends the counting, with a last interval if there is one. */
  stop(): void {
    if (this.#stopped !== null) return;
    clearInterval(this.#ticker);
    clearTimeout(this.#phase);
    this.#stopped = this.#elapsed();
    for (const each of this.#accounts) each.end = markOf(each);
    const { interval } = this.#options;
    const length = this.#stopped - this.#intervalStart;
    if (interval > 0 && (length >= interval * TOO_SHORT || this.#intervalStart === 0)) this.#tick();
  }

  /** Call {@link stop} first. */
  summary(remote: TestResults | null): Summary {
    const seconds = this.#stopped ?? this.#elapsed();
    const streams = this.#accounts.map((each) => {
      const { stream, base, extremes, samples, rttSum } = each;
      const tcp = stream.figures();
      const end = markOf(each);
      return {
        stream,
        start: 0,
        end: seconds,
        bytes: end.bytes - base.bytes,
        retransmits: stream.sends && tcp !== null ? end.retransmits - base.retransmits : null,
        tcp,
        extremes: { ...extremes, meanRtt: samples === 0 ? 0 : Math.round(rttSum / samples) },
      };
    });
    return { seconds, cpu: this.#usage(), streams, remote };
  }

  #startClock(): void {
    const { time, onOver } = this.#options;
    if (time > 0) this.#phase = setTimeout(onOver, time * 1000);
  }

  /** A tick that would fall on the end is left to {@link stop}. */
  #startTicks(until: number): void {
    const { interval } = this.#options;
    if (interval === 0) return;
    clearInterval(this.#ticker);
    this.#ticker = setInterval(() => {
      const last = until > 0 && this.#elapsed() > until - interval * TOO_SHORT;
      if (!last) this.#tick();
    }, interval * 1000);
  }

  #endOmission(): void {
    if (this.#options.interval > 0) this.#tick();
    this.#omitting = false;
    this.#start = systemRuntime().now();
    this.#intervalStart = 0;
    for (const each of this.#accounts) {
      each.base = markOf(each);
      each.last = each.base;
    }
    this.#startClock();
    this.#startTicks(this.#options.time);
  }

  #elapsed(): number {
    return (systemRuntime().now() - this.#start) / 1000;
  }

  #tick(): void {
    const start = this.#intervalStart;
    const end = this.#stopped ?? this.#elapsed();
    const streams = this.#accounts.map((each) => read(each, start, end));
    this.#intervalStart = end;
    this.#options.onInterval({ start, end, omitted: this.#omitting, streams });
  }

  #usage(): Cpu {
    const { user, system } = process.cpuUsage(this.#cpu);
    const percent = (us: number) => us / 10 / Math.max(1, systemRuntime().now() - this.#begun);
    return { total: percent(user + system), user: percent(user), system: percent(system) };
  }
}

/** What arrived before the test was said to run counts too. */
function account(stream: DataStream): Account {
  const mark = { bytes: 0, retransmits: 0 };
  const extremes = { maxCwnd: 0, maxWindow: 0, maxRtt: 0, minRtt: 0, meanRtt: 0 };
  return { stream, base: mark, last: mark, end: null, samples: 0, rttSum: 0, extremes };
}

function markOf({ stream, end }: Account): Mark {
  return end ?? { bytes: stream.bytes, retransmits: stream.figures()?.retransmits ?? 0 };
}

function read(each: Account, start: number, end: number): StreamFigures {
  const { stream, last, extremes } = each;
  const tcp = stream.figures();
  const mark = markOf(each);
  each.last = mark;
  if (tcp !== null) {
    extremes.maxCwnd = Math.max(extremes.maxCwnd, tcp.cwnd);
    extremes.maxWindow = Math.max(extremes.maxWindow, tcp.window);
    extremes.maxRtt = Math.max(extremes.maxRtt, tcp.rtt);
    extremes.minRtt = Math.min(extremes.minRtt || Infinity, tcp.rtt);
    each.samples++;
    each.rttSum += tcp.rtt;
  }
  return {
    stream,
    start,
    end,
    bytes: mark.bytes - last.bytes,
    retransmits: stream.sends && tcp !== null ? mark.retransmits - last.retransmits : null,
    tcp,
  };
}

/** What the other end is told about the streams of this one. */
export function resultsOf(summary: Summary, serverOutput: string | null = null): TestResults {
  const sending = summary.streams.filter(({ stream }) => stream.sends);
  const congestion = summary.streams[0]?.stream.congestion ?? null;
  return {
    cpu: summary.cpu,
    senderHasRetransmits:
      sending.length === 0 ? null : sending.every(({ retransmits }) => retransmits !== null),
    congestion,
    streams: summary.streams.map(
      ({ stream, bytes, retransmits, start, end }): StreamResult => ({
        id: stream.id,
        bytes,
        retransmits,
        start,
        end,
      }),
    ),
    serverOutput,
    serverOutputJson: null,
  };
}
