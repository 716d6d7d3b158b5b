import type { TestEnd } from '../services/iperf3.js';
import type { HostSettings } from './arguments.js';
import { bare } from './arguments.js';
import type { Io } from './io.js';
import { describeTest, testAsJson } from './iperf3-tests.js';
import { LossyOutput } from './lossy-output.js';
import type { ServiceOptions } from './services.js';

/** A reader that has stopped, or a terminal after Ctrl-S, costs lines and not the stack its time. */
export function outputOf(io: Io, json: boolean): LossyOutput {
  return new LossyOutput(io.stdout, (lost) =>
    json ? JSON.stringify({ event: 'lost', lines: lost }) : `[${lost} lines lost]`,
  );
}

/** What one can do now. */
export function announce(
  output: LossyOutput,
  json: boolean,
  device: string,
  settings: HostSettings,
  ports: Readonly<Record<string, number>>,
): void {
  const host = bare(settings.hostAddress);
  const address = bare(settings.address);
  if (json) {
    output.write(jsonLine({ event: 'ready', device, host, address, ports }));
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

/** The line for a connection that opens or closes. */
export function watchLine(
  json: boolean,
  ...[event, service, peer]: Parameters<NonNullable<ServiceOptions['watch']>>
): string {
  const { remoteAddress, remotePort } = peer;
  return json
    ? jsonLine({ event, service, remoteAddress, remotePort })
    : `${service}: ${remoteAddress}:${remotePort} ${event}
`;
}

/** The line for a test of iperf3 that is over. */
export function testLine(json: boolean, end: TestEnd): string {
  return json
    ? jsonLine({ event: 'tested', service: 'iperf3', ...testAsJson(end) })
    : `iperf3: ${describeTest(end)}
`;
}

export function jsonLine(object: unknown): string {
  return `${JSON.stringify(object)}\n`;
}
