import { createRequire } from 'node:module';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';

const HELP = `Usage: tuntcp COMMAND [OPTIONS]

A TCP/IP host in TypeScript, behind a TUN device.

Commands:
  serve     bring up a device and serve echo, discard, chargen, http, iperf3 and more
  nc        netcat over this TCP: connect, or listen with -l
  iperf3    the client of iperf3 over this TCP
  run       run a command in a network namespace with this TCP on the other side; no root needed
  ss        list the sockets of a running tuntcp serve
  stat      print its counters
  top       watch both live
  capture   print or write its packets, as tcpdump does; read capture files
  trace     tell what its TCP does and why, while it happens
  doctor    say what this machine lacks, and the line that fixes it

Options:
  -h, --help       print this and exit; tuntcp COMMAND --help tells about one command
  -V, --version    print the version and exit

Exit status: 0 done, 1 failed, 2 wrong usage. NO_COLOR is honoured.
`;

/** Runs the command that `argv` (without node and script) names; returns the exit code, never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name = '', ...rest] = argv;
  if (name === '--help' || name === '-h' || name === 'help')
    return print(io, await helpOf(rest[0]));
  if (name === '--version' || name === '-V') return print(io, `${version()}\n`);
  const command = await load(name);
  if (command === null) {
    const problem = name === '' ? 'no command given' : `unknown command or option '${name}'`;
    return complain(io, 'tuntcp', new UsageError(problem));
  }
  const ownArguments = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (ownArguments.includes('--help') || ownArguments.includes('-h')) {
    return print(io, command.help);
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    return complain(io, `tuntcp ${name}`, error);
  }
}

async function load(name: string): Promise<Command | null> {
  switch (name) {
    case 'serve':
      return (await import('./serve.js')).serve;
    case 'nc':
      return (await import('./nc.js')).nc;
    case 'iperf3':
      return (await import('./iperf3.js')).iperf3;
    case 'run':
      return (await import('./run.js')).run;
    case 'ss':
      return (await import('./ss.js')).ss;
    case 'stat':
      return (await import('./stat.js')).stat;
    case 'top':
      return (await import('./top.js')).top;
    case 'capture':
      return (await import('./capture.js')).capture;
    case 'trace':
      return (await import('./trace.js')).trace;
    case 'doctor':
      return (await import('./doctor.js')).doctor;
    default:
      return null;
  }
}

async function helpOf(name = ''): Promise<string> {
  return (await load(name))?.help ?? HELP;
}

function version(): string {
  const manifest: { version: string } = createRequire(import.meta.url)('../../package.json');
  return manifest.version;
}

function print(io: Io, text: string): number {
  io.stdout.write(text);
  return 0;
}

/** One line on stderr. */
function complain(io: Io, who: string, error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s*\n\s*/g, ' ').trim();
  const usage = error instanceof UsageError;
  io.stderr.write(`${who}: ${line}${usage ? `; see ${who} --help` : ''}\n`);
  return usage ? 2 : 1;
}
