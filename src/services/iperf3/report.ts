import type { Extremes, Interval, StreamFigures, Summary } from './meter.js';
import type { StreamResult, TestParameters } from './protocol.js';
import type { DataStream } from './stream.js';
import type { RateFormat } from './units.js';
import { byteText, rateText } from './units.js';

/** Hears how a test goes. */
export interface Report {
  /** All streams are there. */
  started(streams: readonly DataStream[]): void;
  interval(interval: Interval): void;
  ended(summary: Summary): void;
}

/** One stream, as its sender and its receiver counted it. */
export interface BothEnds {
  stream: DataStream;
  extremes: Extremes;
  sent: Pick<StreamResult, 'bytes' | 'end' | 'retransmits'>;
  received: Pick<StreamResult, 'bytes' | 'end'>;
}

/** What is known of an end that has told nothing is that of the other. */
export function bothEnds(summary: Summary): BothEnds[] {
  return summary.streams.map(({ stream, extremes, bytes, end, retransmits }) => {
    const here = { bytes, end, retransmits };
    const told = summary.remote?.streams.find(({ id }) => id === stream.id);
    const there =
      told === undefined
        ? { bytes, end, retransmits: null }
        : { bytes: told.bytes, end: told.end || end, retransmits: told.retransmits };
    return stream.sends
      ? { stream, extremes, sent: here, received: there }
      : { stream, extremes, sent: there, received: here };
  });
}

const RULE = '- - - - - - - - - - - - - - - - - - - - - - - - -';
/** Above the columns of the intervals. */
const HEAD = 'Interval           Transfer     Bitrate';

export interface TextOptions {
  role: 'C' | 'S';
  format?: RateFormat;
  /** Gets lines without their end. */
  write: (line: string) => void;
}

/** The lines of iperf3. */
export class TextReport implements Report {
  readonly #parameters: Pick<TestParameters, 'bidir' | 'title'>;
  readonly #options: TextOptions;
  #headed = false;

  constructor(parameters: Pick<TestParameters, 'bidir' | 'title'>, options: TextOptions) {
    this.#parameters = parameters;
    this.#options = options;
  }

  started(streams: readonly DataStream[]): void {
    for (const each of streams) {
      const local = `local ${each.localAddress} port ${each.localPort}`;
      const remote = `${each.remoteAddress} port ${each.remotePort}`;
      this.#line(`[${id(each)}]${this.#role(each.sends)} ${local} connected to ${remote}`);
    }
  }

  interval({ start, end, omitted, streams }: Interval): void {
    if (!this.#headed) this.#head(knowsTcp(streams) ? '         Retr  Cwnd' : '');
    else if (streams.length > 1) this.#line(RULE);
    this.#headed = true;
    const note = omitted ? '  (omitted)' : '';
    for (const { stream, bytes, retransmits, tcp } of streams) {
      const sender = retransmits === null || tcp === null ? null : { retransmits, cwnd: tcp.cwnd };
      this.#figures(id(stream), stream.sends, start, end, bytes, `${columns(sender)}${note}`);
    }
    for (const sends of [true, false]) {
      const side = streams.filter(({ stream }) => stream.sends === sends);
      if (side.length < 2) continue;
      const again = side.every(({ retransmits }) => retransmits !== null)
        ? { retransmits: sum(side.map(({ retransmits }) => retransmits ?? 0)), cwnd: null }
        : null;
      const bytes = sum(side.map((each) => each.bytes));
      this.#figures('SUM', sends, start, end, bytes, `${columns(again)}${note}`);
    }
  }

  ended(summary: Summary): void {
    const ends = bothEnds(summary);
    this.#line(RULE);
    this.#head(ends.some(({ sent }) => sent.retransmits !== null) ? '         Retr' : '');
    const alone = this.#options.role === 'S' && summary.remote === null;
    for (const { stream, sent, received } of ends) {
      if (!(alone && !stream.sends)) this.#end(id(stream), stream.sends, sent, 'sender');
      if (!(alone && stream.sends)) this.#end(id(stream), stream.sends, received, 'receiver');
    }
    for (const sends of [true, false]) {
      const side = ends.filter(({ stream }) => stream.sends === sends);
      if (side.length < 2) continue;
      const all = totals(side);
      if (!(alone && !sends)) this.#end('SUM', sends, all.sent, 'sender');
      if (!(alone && sends)) this.#end('SUM', sends, all.received, 'receiver');
    }
  }

  #end(
    name: string,
    sends: boolean,
    { bytes, end, retransmits }: Partial<StreamResult> & { bytes: number; end: number },
    side: 'sender' | 'receiver',
  ): void {
    const again = side === 'sender' && typeof retransmits === 'number' ? String(retransmits) : '';
    this.#figures(name, sends, 0, end, bytes, `  ${again.padStart(3)}             ${side}`);
  }

  #head(more: string): void {
    this.#line(`[ ID]${this.#parameters.bidir ? '[Role]' : ''} ${HEAD}${more}`);
  }

  #figures(
    name: string,
    sends: boolean,
    start: number,
    end: number,
    bytes: number,
    more: string,
  ): void {
    const rate = end > start ? (bytes * 8) / (end - start) : 0;
    const from = start.toFixed(2).padStart(6);
    this.#line(
      `[${name}]${this.#role(sends)} ${from}-${end.toFixed(2).padEnd(6)} sec` +
        `  ${byteText(bytes)}  ${rateText(rate, this.#options.format)}${more}`,
    );
  }

  #role(sends: boolean): string {
    return this.#parameters.bidir ? `[${sends ? 'TX' : 'RX'}-${this.#options.role}]` : '';
  }

  #line(text: string): void {
    const { title } = this.#parameters;
    this.#options.write(`${title === null ? '' : `${title}:  `}${text}`.trimEnd());
  }
}

/** The sums over streams of one direction; `retransmits` is null when one of them is not known. */
export function totals(side: readonly BothEnds[]): Pick<BothEnds, 'sent' | 'received'> {
  const known = side.every(({ sent }) => sent.retransmits !== null);
  return {
    sent: {
      bytes: sum(side.map(({ sent }) => sent.bytes)),
      end: Math.max(0, ...side.map(({ sent }) => sent.end)),
      retransmits: known ? sum(side.map(({ sent }) => sent.retransmits ?? 0)) : null,
    },
    received: {
      bytes: sum(side.map(({ received }) => received.bytes)),
      end: Math.max(0, ...side.map(({ received }) => received.end)),
    },
  };
}

function knowsTcp(streams: readonly StreamFigures[]): boolean {
  return streams.some(({ retransmits }) => retransmits !== null);
}

function columns(sender: { retransmits: number; cwnd: number | null } | null): string {
  if (sender === null) return '';
  const cwnd = sender.cwnd === null ? '' : byteText(sender.cwnd);
  return `  ${String(sender.retransmits).padStart(3)}   ${cwnd}`;
}

function id(stream: DataStream): string {
  return String(stream.id).padStart(3);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
