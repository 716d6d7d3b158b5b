import type { CaptureLink } from '../link/capture.js';
import { Recorder } from '../stack/recorder.js';
import {
  bare,
  directory,
  HOST_HELP,
  HOST_OPTIONS,
  hostSettings,
  parse,
  port,
} from './arguments.js';
import { PCAP_HELP, PCAP_OPTIONS, startCapture } from './capture-serve.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import { networkId } from './control/directory.js';
import type { StackView } from './control/questions.js';
import { questionsTo, streamsOf } from './control/questions.js';
import { openControl, refuseSecond } from './control/stacks.js';
import type { Io } from './io.js';
import { describeTest, testAsJson } from './iperf3-tests.js';
import { jsonRecorder, liveRecorder } from './live.js';
import { LossyOutput } from './lossy-output.js';
import { startMetricsServer } from './metrics-server.js';
import type { RunningServices, ServiceOptions } from './services.js';
import { startServices } from './services.js';
import { closeHost, StopRequests } from './shutdown.js';
import { WatchedLink } from './watched-link.js';

const HELP = `Usage: tuntcp serve [OPTIONS]

Brings a TUN device up and serves on our side of it: echo 7, discard 9, daytime 13, chargen 19,
http 80 and iperf3 5201. Needs CAP_NET_ADMIN, or a persistent device that you own; tuntcp run needs
neither.

      --device NAME             name of the device (the kernel picks tun0 or the next)
${HOST_HELP}
      --http PORT               port of the http service (80)
      --metrics PORT            metrics for Prometheus, on the kernel's 127.0.0.1 alone
      --dir DIR                 serve these files; what / shows without is then at /connection
  -v, --verbose                 print a line for each connection that opens or closes
      --ladder                  draw every segment, with the states of both sides
${PCAP_HELP}
      --json                    print one JSON object per line
  -h, --help                    print this and exit

http: / shows you your own connection, /bytes/N is N bytes (byte i is i mod 251), and a POST to /sum
is answered with length and SHA-256. Meanwhile tuntcp ss, stat, top, capture and trace show
what goes on in it. Ctrl-C closes all connections with FIN and removes the device; a second one
does not wait. Exit status: 0 stopped, 1 failed, 2 wrong usage, 130 second Ctrl-C.
`;

export const serve: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    ...HOST_OPTIONS,
    device: { type: 'string' },
    http: { type: 'string', default: '80' },
    metrics: { type: 'string' },
    dir: { type: 'string' },
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
  if (values.device !== undefined) await refuseSecond(io.env, values.device);
  const capture = startCapture(io, values);
  const output = outputOf(io, values.json);
  const { recorder, finish } = recorderFor(output, io.env, values);
  const stop = new StopRequests(io);
  try {
    const device = await io.platform.openDevice({ name: values.device, ...settings });
    const captured = capture.wrap(device);
    const link = new WatchedLink(captured);
    try {
      const host = await io.platform.host(link, settings.address, recorder);
      const watch = values.verbose ? watcher(output, values.json) : undefined;
      const onTest = values.verbose ? testWatcher(output, values.json) : undefined;
      const services = await startServices(host.net, { recorder, dir, httpPort, watch, onTest });
      const views = await openViews(io, host.view, captured, settings, metricsPort);
      announce(output, values.json, link.name, settings, services);
      try {
        const reason = await Promise.race([stop.first, link.lost]);
        services.close();
        if (values.json) write(output, { event: 'stopping', reason });
        const impatient = stop.second.then(() => 130);
        const code = await Promise.race([closeHost(host, link).then(() => 0), impatient]);
        finish();
        if (values.json) write(output, { event: 'stopped', code });
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

/** A reader that has stopped, or a terminal after Ctrl-S, costs lines and not the stack its time. */
function outputOf(io: Io, json: boolean): LossyOutput {
  return new LossyOutput(io.stdout, (lost) =>
    json ? JSON.stringify({ event: 'lost', lines: lost }) : `[${lost} lines lost]`,
  );
}

/** The ways to look in from outside: the control socket, and metrics by http. */
async function openViews(
  io: Io,
  stack: StackView,
  link: CaptureLink,
  settings: { address: string },
  metricsPort: number | null,
): Promise<{ close(): void }> {
  const metrics =
    metricsPort === null ? null : await startMetricsServer(metricsPort, () => stack.metrics());
  const identity = {
    device: link.name,
    pid: process.pid,
    network: networkId(),
    address: bare(settings.address),
  };
  const questions = { ...questionsTo(stack, identity), ...streamsOf(stack, link) };
  const control = await openControl(io.env, link.name, questions).catch((error: Error) => {
    // Nobody can look in, but the services do without.
    io.stderr.write(`tuntcp serve: no control socket: ${error.message}\n`);
    return null;
  });
  return {
    close: () => {
      metrics?.close();
      control?.close();
    },
  };
}

function recorderFor(
  to: LossyOutput,
  env: NodeJS.ProcessEnv,
  values: { ladder: boolean; json: boolean },
) {
  if (!values.ladder) return { recorder: new Recorder(), finish: () => {} };
  return values.json ? jsonRecorder(to) : liveRecorder(to, env);
}

function announce(
  output: LossyOutput,
  json: boolean,
  device: string,
  settings: { hostAddress: string; address: string },
  { ports }: RunningServices,
): void {
  const host = bare(settings.hostAddress);
  const address = bare(settings.address);
  if (json) {
    write(output, { event: 'ready', device, host, address, ports });
    return;
  }
  const http = `http://${address}${ports.http === 80 ? '' : `:${ports.http}`}`;
  const commands = [
    [`curl ${http}/`, 'your connection, as this end sees it'],
    [`curl -o /dev/null ${http}/bytes/1000000000`, 'a gigabyte'],
    [`nc ${address} 7`, 'echo; 9 discard, 13 daytime, 19 chargen'],
    [`iperf3 -c ${address} -R`, 'how fast; without -R towards us'],
    [`ping ${address}`, ''],
  ] as const;
  const width = Math.max(...commands.map(([command]) => command.length));
  const lines = commands.map(([command, what]) => `  ${command.padEnd(width)}  ${what}`.trimEnd());
  output.write(`${device} is up: the kernel is ${host}, tuntcp is ${address}. Ctrl-C ends it.
Try, in another terminal:
${lines.join('\n')}
`);
}

function watcher(output: LossyOutput, json: boolean): NonNullable<ServiceOptions['watch']> {
  return (event, service, { remoteAddress, remotePort }) => {
    if (json) write(output, { event, service, remoteAddress, remotePort });
    else output.write(`${service}: ${remoteAddress}:${remotePort} ${event}\n`);
  };
}

function testWatcher(output: LossyOutput, json: boolean): NonNullable<ServiceOptions['onTest']> {
  return (end) => {
    if (json) write(output, { event: 'tested', service: 'iperf3', ...testAsJson(end) });
    else output.write(`iperf3: ${describeTest(end)}\n`);
  };
}

function write(output: LossyOutput, object: unknown): void {
  output.write(`${JSON.stringify(object)}\n`);
}
