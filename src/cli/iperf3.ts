import { WatchedLink } from '../link/watched-link.js';
import type { Iperf3Request, RateFormat, TestParameters } from '../services/iperf3.js';
import {
  Iperf3Client,
  JsonReport,
  LIMITS,
  newCookie,
  PORT,
  parseAmount,
  RATE_FORMATS,
  TextReport,
} from '../services/iperf3.js';
import { SilentTrace } from '../tcp/trace.js';
import {
  HOST_HELP,
  HOST_OPTIONS,
  hostSettings,
  integer,
  parse,
  port,
  seconds,
} from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';
import { closeHost, StopRequests } from './shutdown.js';

const HELP = `Usage: tuntcp iperf3 -c HOST [OPTIONS]

The client of iperf3 over our TCP, from our side of a TUN device. Its server is tuntcp serve, or
iperf3 -s on the kernel's side (tuntcp iperf3 -c 10.7.0.1).

  -c, --client HOST             the server
  -p, --port PORT               its port (5201)
  -t, --time SECONDS            how long to send (10); 0 for ever
  -n, --bytes N[KMGT]           how much to send instead
  -k, --blockcount N[KMGT]      how many blocks to send instead
  -l, --length N[KM]            bytes per block, up to 1M (128K)
  -P, --parallel N              streams, each way (1)
  -R, --reverse                 the server sends
      --bidir                   both send
  -O, --omit SECONDS            start counting after this time (0)
  -i, --interval SECONDS        between reports (1); 0 for none
  -b, --bitrate N[KMGT]         bit/s per stream at most; 0 for no limit (0)
  -N, --no-delay                turn Nagle's algorithm off
  -C, --congestion NAME         ask the server for this congestion control; ours is newreno
  -f, --format [${RATE_FORMATS}]     unit of rates: bits or, in capitals, bytes (a: what fits)
  -T, --title TEXT              put this in front of each line
      --get-server-output       show the report of the server too
      --connect-timeout MS      give up when connecting takes this long
  -J, --json                    print one JSON object at the end
      --device NAME             name of the device (the kernel picks one)
${HOST_HELP}
  -h, --help                    print this and exit

Ctrl-C tells the server, and prints what there is. Exit status: 0 done, 1 failed, 2 wrong usage,
130 Ctrl-C.
`;

export const iperf3: Command = { help: HELP, run };

const OPTIONS = {
  ...HOST_OPTIONS,
  device: { type: 'string' },
  client: { type: 'string', short: 'c' },
  port: { type: 'string', short: 'p', default: String(PORT) },
  time: { type: 'string', short: 't' },
  bytes: { type: 'string', short: 'n' },
  blockcount: { type: 'string', short: 'k' },
  length: { type: 'string', short: 'l', default: '128K' },
  parallel: { type: 'string', short: 'P', default: '1' },
  reverse: { type: 'boolean', short: 'R', default: false },
  bidir: { type: 'boolean', default: false },
  omit: { type: 'string', short: 'O', default: '0' },
  interval: { type: 'string', short: 'i', default: '1' },
  bitrate: { type: 'string', short: 'b', default: '0' },
  'no-delay': { type: 'boolean', short: 'N', default: false },
  congestion: { type: 'string', short: 'C' },
  format: { type: 'string', short: 'f', default: 'a' },
  title: { type: 'string', short: 'T' },
  'get-server-output': { type: 'boolean', default: false },
  'connect-timeout': { type: 'string', default: '0' },
  json: { type: 'boolean', short: 'J', default: false },
} as const;

type Values = ReturnType<typeof parse<typeof OPTIONS>>['values'];

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, OPTIONS);
  if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  if (values.client === undefined) {
    throw new UsageError('takes -c HOST; the server is tuntcp serve');
  }
  const settings = hostSettings(values);
  const request = requestOf(values, values.client, io);
  const stop = new StopRequests(io);
  try {
    const device = await io.platform.openDevice({ name: values.device, ...settings });
    const link = new WatchedLink(device);
    try {
      const host = await io.platform.host(link, settings.address, new SilentTrace());
      const client = new Iperf3Client(host.net, request.request);
      let code: number | null = null;
      void stop.first.then((reason) => {
        code = reason === 'EPIPE' ? 0 : 130;
        client.interrupt();
      });
      link.lost.catch((error: Error) => client.interrupt(error));
      const failed = await client.run().then(
        () => request.finish(null),
        (error: Error) => request.finish(error),
      );
      await Promise.race([closeHost(host, link), stop.second]);
      if (failed !== null && code === null) throw failed;
      return code ?? 0;
    } finally {
      link.close();
    }
  } finally {
    stop.release();
  }
}

/** The request, and what is to be printed when it is over; that gives the error back. */
function requestOf(
  values: Values,
  host: string,
  io: Io,
): { request: Iperf3Request; finish: (error: Error | null) => Error | null } {
  const parameters = parametersOf(values);
  const print = (line: string) => void io.stdout.write(`${line}\n`);
  const cookie = newCookie();
  const common = {
    host,
    port: port(values.port),
    parameters,
    interval: interval(values.interval),
    connectTimeout: integer(values['connect-timeout'], '--connect-timeout', 0, 86_400_000),
    cookie,
  };
  if (values.json) {
    const context = { ...common, version: 'tuntcp', time: Date.now() };
    const report = new JsonReport(parameters, {
      ...context,
      cookie: cookie.toString('latin1', 0, 36),
    });
    const finish = (error: Error | null) => {
      if (error !== null) report.failed(error.message);
      print(JSON.stringify(report, null, '\t'));
      return error;
    };
    return { request: { ...common, report }, finish };
  }
  const text = new TextReport(parameters, {
    role: 'C',
    format: format(values.format),
    write: print,
  });
  print(`Connecting to host ${host}, port ${common.port}`);
  const report: Iperf3Request['report'] = {
    started: (streams) => text.started(streams),
    interval: (each) => text.interval(each),
    ended: (summary) => {
      text.ended(summary);
      if (summary.remote === null) return;
      const { serverOutput, serverOutputJson } = summary.remote;
      const told =
        serverOutput ?? (serverOutputJson && JSON.stringify(serverOutputJson, null, '\t'));
      if (told) print(`\nServer output:\n${told}`);
      print('\niperf Done.');
    },
  };
  return { request: { ...common, report }, finish: (error) => error };
}

function parametersOf(values: Values): TestParameters {
  const ends = [values.time, values.bytes, values.blockcount].filter((each) => each !== undefined);
  if (ends.length > 1) throw new UsageError('takes one of --time, --bytes and --blockcount');
  if (values.bidir && values.reverse) throw new UsageError('takes one of --bidir and --reverse');
  const length = amount(values.length, '--length', 1024);
  if (length < 1 || length > LIMITS.length) throw new UsageError('--length must be 1 to 1M');
  const time = values.time ?? (ends.length === 0 ? '10' : '0');
  return {
    time: integer(time, '--time', 0, LIMITS.time),
    omit: integer(values.omit, '--omit', 0, LIMITS.omit),
    bytes: amount(values.bytes ?? '0', '--bytes', 1024),
    blocks: amount(values.blockcount ?? '0', '--blockcount', 1024),
    length,
    parallel: integer(values.parallel, '--parallel', 1, LIMITS.parallel),
    reverse: values.reverse,
    bidir: values.bidir,
    noDelay: values['no-delay'],
    bitrate: amount(values.bitrate, '--bitrate', 1000),
    congestion: values.congestion ?? null,
    serverOutput: values['get-server-output'],
    title: values.title ?? null,
  };
}

function amount(text: string, option: string, step: 1000 | 1024): number {
  const value = parseAmount(text, step);
  if (value !== null) return value;
  throw new UsageError(`${option} takes a number like 10M, not '${text}'`);
}

/** iperf3 takes 0.1 to 60, or 0. */
function interval(text: string): number {
  const value = seconds(text, '--interval') / 1000;
  if (value === 0 || (value >= 0.1 && value <= 60)) return value;
  throw new UsageError(`--interval must be 0.1 to 60, or 0, not '${text}'`);
}

function format(text: string): RateFormat {
  if (text.length === 1 && RATE_FORMATS.includes(text)) return text as RateFormat;
  throw new UsageError(`--format takes one of ${RATE_FORMATS}, not '${text}'`);
}
