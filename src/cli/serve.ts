import { WatchedLink } from '../link/watched-link.js';
import { Recorder } from '../stack/recorder.js';
import { MAX_SHARDS } from '../stack/shard.js';
import {
  directory,
  HOST_HELP,
  HOST_OPTIONS,
  hostSettings,
  integer,
  parse,
  port,
} from './arguments.js';
import { PCAP_HELP, PCAP_OPTIONS, startCapture } from './capture-serve.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import { questionsTo, streamsOf } from './control/questions.js';
import { refuseSecond } from './control/stacks.js';
import type { Io } from './io.js';
import { jsonRecorder, liveRecorder } from './live.js';
import type { LossyOutput } from './lossy-output.js';
import { announce, jsonLine, outputOf, testLine, watchLine } from './serve-output.js';
import { openViews } from './serve-views.js';
import { serveOnWorkers } from './serve-workers.js';
import { startServices } from './services.js';
import { closeHost, StopRequests } from './shutdown.js';

const HELP = `Usage: tuntcp serve [OPTIONS]

Brings a TUN device up and serves on our side of it: echo 7, discard 9, daytime 13, chargen 19,
http 80 and iperf3 5201. Needs CAP_NET_ADMIN, or a persistent device that you own; tuntcp run needs
neither.

      --device NAME             name of the device (the kernel picks tun0 or the next)
${HOST_HELP}
      --http PORT               port of the http service (80)
      --metrics PORT            metrics for Prometheus, on the kernel's 127.0.0.1 alone
      --dir DIR                 serve these files; what / shows without is then at /connection
      --workers N               so many threads, each with a share of the connections (1)
  -v, --verbose                 print a line for each connection that opens or closes
      --ladder                  draw every segment, with the states of both sides
${PCAP_HELP}
      --json                    print one JSON object per line
  -h, --help                    print this and exit

http: / shows you your own connection, /bytes/N is N bytes (byte i is i mod 251), and a POST to /sum
is answered with length and SHA-256. Meanwhile tuntcp ss, stat, top, capture and trace show what
goes on in it; with more than one thread there is no --ladder and no --pcap, and iperf3 has one of
them. Ctrl-C closes all connections with FIN and removes the device; a second one does
not wait. Exit status: 0 stopped, 1 failed, 2 wrong usage, 130 second Ctrl-C.
`;

export const serve: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    ...HOST_OPTIONS,
    device: { type: 'string' },
    http: { type: 'string', default: '80' },
    metrics: { type: 'string' },
    dir: { type: 'string' },
    workers: { type: 'string', default: '1' },
    verbose: { type: 'boolean', short: 'v', default: false },
    ladder: { type: 'boolean', default: false },
    ...PCAP_OPTIONS,
    json: { type: 'boolean', default: false },
  });
  if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  const settings = hostSettings(values);
  const httpPort = port(values.http, '--http');
  const metricsPort = values.metrics === undefined ? null : port(values.metrics, '--metrics');
  const dir = values.dir === undefined ? null : directory(values.dir);
  const workers = integer(values.workers, '--workers', 1, MAX_SHARDS);
  const alone = (['ladder', 'pcap'] as const).find((option) => values[option]);
  if (workers > 1 && alone)
    throw new UsageError(`--${alone} is of one thread: leave out --workers`);
  if (values.device !== undefined) await refuseSecond(io.env, values.device);
  const capture = startCapture(io, values);
  const output = outputOf(io, values.json);
  const { recorder, finish } = recorderFor(output, io.env, values);
  const stop = new StopRequests(io);
  try {
    if (workers > 1) {
      const { device, verbose, json } = values;
      const services = { dir, httpPort, verbose, json };
      const options = { workers, device, settings, metricsPort, services };
      return await serveOnWorkers(io, output, stop, options);
    }
    const device = await io.platform.openDevice({ name: values.device, ...settings });
    const captured = capture.wrap(device);
    const link = new WatchedLink(captured);
    try {
      const host = await io.platform.host(link, settings.address, recorder);
      const { json, verbose } = values;
      const services = await startServices(host.net, {
        recorder,
        dir,
        httpPort,
        ...(verbose && {
          watch: (...event) => output.write(watchLine(json, ...event)),
          onTest: (end) => output.write(testLine(json, end)),
        }),
      });
      const views = await openViews(io, {
        device: link.name,
        address: settings.address,
        metricsPort,
        metrics: () => host.view.metrics(),
        questions: (identity) => ({
          ...questionsTo(host.view, identity),
          ...streamsOf(host.view, captured),
        }),
      });
      announce(output, json, link.name, settings, services.ports);
      try {
        const reason = await Promise.race([stop.first, link.lost]);
        services.close();
        if (json) output.write(jsonLine({ event: 'stopping', reason }));
        const impatient = stop.second.then(() => 130);
        const code = await Promise.race([closeHost(host, link).then(() => 0), impatient]);
        finish();
        if (json) output.write(jsonLine({ event: 'stopped', code }));
        return code;
      } finally {
        // Whoever captures or traces sees the end of the connections too.
        views.close();
      }
    } finally {
      link.close();
      await capture.finish();
    }
  } finally {
    stop.release();
    await output.end();
  }
}

function recorderFor(
  to: LossyOutput,
  env: NodeJS.ProcessEnv,
  values: { ladder: boolean; json: boolean },
) {
  if (!values.ladder) return { recorder: new Recorder(), finish: () => {} };
  return values.json ? jsonRecorder(to) : liveRecorder(to, env);
}
