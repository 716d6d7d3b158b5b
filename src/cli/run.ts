import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Link } from '../link/link.js';
import { Recorder } from '../stack/recorder.js';
import { directory, HOST_HELP, HOST_OPTIONS, hostSettings, parse } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';
import { liveRecorder } from './live.js';
import type { Host } from './platform.js';
import { startServices } from './services.js';
import { closeHost } from './shutdown.js';

const HELP = `Usage: tuntcp run [OPTIONS] -- COMMAND [ARGUMENT...]

Runs COMMAND in a network namespace of its own, in which the only way out is a TUN device with our
TCP and its services (see tuntcp serve --help) on the other side. Needs no root where user
namespaces are allowed.

${HOST_HELP}
      --dir DIR                 serve these files by http
      --ladder                  print every segment on standard error
  -h, --help                    print this and exit

Example: tuntcp run -- curl http://10.7.0.2/
Exit status: that of COMMAND, 128 + N when signal N ended it; 1 failed, 2 wrong usage.
`;

export const run: Command = { help: HELP, run: runCommand };

async function runCommand(argv: string[], io: Io): Promise<number> {
  const dashes = argv.indexOf('--');
  const [command, ...args] = dashes < 0 ? [] : argv.slice(dashes + 1);
  const { values, positionals } = parse(dashes < 0 ? argv : argv.slice(0, dashes), {
    ...HOST_OPTIONS,
    dir: { type: 'string' },
    ladder: { type: 'boolean', default: false },
  });
  if (command === undefined || positionals.length > 0) {
    throw new UsageError('put -- and then the command after the options');
  }
  const settings = hostSettings(values);
  const dir = values.dir === undefined ? null : directory(values.dir);
  const live = values.ladder ? liveRecorder(io.stderr, io.env) : null;
  const recorder = live?.recorder ?? new Recorder();
  let host = null as Host | null;
  const prepare = async (link: Link) => {
    host = await io.platform.host(link, settings.address, recorder);
    await startServices(host.net, { recorder, dir, httpPort: 80 });
  };
  const { link, child } = await io.platform.spawn({ command, args, ...settings, prepare });
  try {
    const code = await exitCode(child);
    if (host !== null) await closeHost(host, link);
    live?.finish();
    return code;
  } finally {
    link.close();
  }
}

/** As a shell has it: 128 + N for signal N. */
function exitCode(child: ChildProcess): Promise<number> {
  const codeOf = (code: number | null, signal: NodeJS.Signals | null) =>
    code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  return new Promise((resolve, reject) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve(codeOf(child.exitCode, child.signalCode));
    }
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(codeOf(code, signal)));
  });
}
