import type { Interval, StreamFigures, Summary } from './meter.js';
import type { TestParameters } from './protocol.js';
import type { BothEnds, Report } from './report.js';
import { bothEnds, totals } from './report.js';
import type { DataStream } from './stream.js';

export interface JsonContext {
  host: string;
  port: number;
  version: string;
  /** ms since 1970. */
  time: number;
  cookie: string;
}

/** One object with the fields of `iperf3 --json`; what only the kernel knows is left out. */
export class JsonReport implements Report {
  readonly #parameters: TestParameters;
  readonly #start: Record<string, unknown>;
  readonly #intervals: object[] = [];
  #end: object = {};
  #rest: Record<string, unknown> = {};

  constructor(parameters: TestParameters, context: JsonContext) {
    this.#parameters = parameters;
    const { time, omit, bytes, blocks, length, parallel, bitrate } = parameters;
    this.#start = {
      connected: [],
      version: context.version,
      system_info: `Node.js ${process.version}`,
      timestamp: {
        time: new Date(context.time).toUTCString(),
        timesecs: Math.floor(context.time / 1000),
      },
      connecting_to: { host: context.host, port: context.port },
      cookie: context.cookie,
      target_bitrate: bitrate,
      test_start: {
        protocol: 'TCP',
        num_streams: parallel,
        blksize: length,
        omit,
        duration: time,
        bytes,
        blocks,
        reverse: Number(parameters.reverse),
        tos: 0,
        target_bitrate: bitrate,
        ...(parameters.bidir && { bidir: 1 }),
      },
      ...(parameters.title !== null && { title: parameters.title }),
    };
  }

  started(streams: readonly DataStream[]): void {
    this.#start.connected = streams.map((stream) => ({
      socket: stream.id,
      local_host: stream.localAddress,
      local_port: stream.localPort,
      remote_host: stream.remoteAddress,
      remote_port: stream.remotePort,
    }));
  }

  interval(interval: Interval): void {
    const { start, end, omitted } = interval;
    const streams = interval.streams.map((each) => streamInterval(each, omitted));
    const sums = this.#sides(interval.streams, ({ stream }) => stream).map(([suffix, side]) => {
      const bytes = side.reduce((sum, each) => sum + each.bytes, 0);
      const known = side.every(({ retransmits }) => retransmits !== null);
      const again = side.reduce((sum, { retransmits }) => sum + (retransmits ?? 0), 0);
      const sender = side[0]?.stream.sends ?? false;
      const figures = transfer(start, end, bytes);
      return [
        `sum${suffix}`,
        { ...figures, ...(known && { retransmits: again }), omitted, sender },
      ] as const;
    });
    this.#intervals.push({ streams, ...Object.fromEntries(sums) });
  }

  ended(summary: Summary): void {
    const ends = bothEnds(summary);
    const { cpu, remote } = summary;
    const sums = this.#sides(ends, ({ stream }) => stream).flatMap(([suffix, side]) => {
      const { sent, received } = totals(side);
      const sender = side[0]?.stream.sends ?? false;
      const again = sent.retransmits === null ? {} : { retransmits: sent.retransmits };
      return [
        [`sum_sent${suffix}`, { ...transfer(0, sent.end, sent.bytes), ...again, sender }],
        [`sum_received${suffix}`, { ...transfer(0, received.end, received.bytes), sender }],
      ] as const;
    });
    const own = summary.streams[0]?.stream.congestion ?? null;
    const [sender, receiver] = this.#parameters.reverse
      ? [remote?.congestion ?? null, own]
      : [own, remote?.congestion ?? null];
    this.#end = {
      streams: ends.map(streamEnd),
      ...Object.fromEntries(sums),
      cpu_utilization_percent: {
        host_total: cpu.total,
        host_user: cpu.user,
        host_system: cpu.system,
        remote_total: remote?.cpu.total ?? 0,
        remote_user: remote?.cpu.user ?? 0,
        remote_system: remote?.cpu.system ?? 0,
      },
      ...(sender !== null && { sender_tcp_congestion: sender }),
      ...(receiver !== null && { receiver_tcp_congestion: receiver }),
    };
    if (remote !== null && remote.serverOutputJson !== null) {
      this.#rest.server_output_json = remote.serverOutputJson;
    } else if (remote !== null && remote.serverOutput !== null) {
      this.#rest.server_output_text = remote.serverOutput;
    }
  }

  failed(message: string): void {
    this.#rest.error = message;
  }

  toJSON(): object {
    return { start: this.#start, intervals: this.#intervals, end: this.#end, ...this.#rest };
  }

  /** The streams of one direction; with both, those on which we receive get iperf3's suffix. */
  #sides<T>(all: readonly T[], streamOf: (each: T) => DataStream): [string, T[]][] {
    if (!this.#parameters.bidir) return [['', [...all]]];
    return [
      ['', all.filter((each) => streamOf(each).sends)],
      ['_bidir_reverse', all.filter((each) => !streamOf(each).sends)],
    ];
  }
}

function transfer(start: number, end: number, bytes: number) {
  const seconds = end - start;
  const rate = seconds > 0 ? (bytes * 8) / seconds : 0;
  return { start, end, seconds, bytes, bits_per_second: rate };
}

function streamInterval(figures: StreamFigures, omitted: boolean): object {
  const { stream, start, end, bytes, retransmits, tcp } = figures;
  return {
    socket: stream.id,
    ...transfer(start, end, bytes),
    ...(tcp !== null &&
      retransmits !== null && {
        retransmits,
        snd_cwnd: tcp.cwnd,
        snd_wnd: tcp.window,
        rtt: tcp.rtt,
        rttvar: tcp.rttvar,
      }),
    omitted,
    sender: stream.sends,
  };
}

function streamEnd({ stream, extremes, sent, received }: BothEnds): object {
  const sender = stream.sends;
  return {
    sender: {
      socket: stream.id,
      ...transfer(0, sent.end, sent.bytes),
      ...(sent.retransmits !== null && { retransmits: sent.retransmits }),
      ...(sender &&
        extremes.maxCwnd > 0 && {
          max_snd_cwnd: extremes.maxCwnd,
          max_snd_wnd: extremes.maxWindow,
          max_rtt: extremes.maxRtt,
          min_rtt: extremes.minRtt,
          mean_rtt: extremes.meanRtt,
        }),
      sender,
    },
    receiver: { socket: stream.id, ...transfer(0, received.end, received.bytes), sender },
  };
}
