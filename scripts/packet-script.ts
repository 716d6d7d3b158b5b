import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import type * as Command from '../test/conformance/packet-scripts/command.js';
import { usage } from './lib/command.js';

const HELP = `Usage: scripts/packet-script FILE... [--on ours|linux] [--json]

Plays packet scripts: packets and system calls with their times, one a line, to our host in this
process on virtual time, or to the kernel of this machine in a network namespace, on real time. A
folder stands for all scripts below it. docs/packet-scripts.md describes the language.

A script that does not come true is shown with its line, what was expected, what came, and the
conversation up to there.

      --on NAME  ours (default) or linux
      --json     print one JSON object per script instead
  -h, --help     print this and exit

--on linux needs root, or user namespaces, and a C compiler. Exit status: 0 when all came true, 1
when one did not, 2 wrong usage or a mistake in a script.`;

const ROOT = path.join(__dirname, '..');
const RUNNER = path.join(ROOT, 'dist-packet-scripts/test/conformance/packet-scripts/command.js');
const SCRIPTS = path.join(ROOT, 'test/conformance/scripts');
const AGENT = path.join(ROOT, 'test/conformance/packet-scripts/syscall-agent.c');
const PREAMBLES = path.join(SCRIPTS, 'preambles');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      on: { type: 'string', default: 'ours' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const { on } = values;
  if (on !== 'ours' && on !== 'linux') throw usage(`--on takes ours or linux, not '${on}'`);
  if (positionals.length === 0) throw usage('which script? Name a file or a folder (--help)');
  const from = process.env.TUNTCP_CALLED_IN ?? process.cwd();
  const files = positionals.flatMap((name) => filesOf(path.resolve(from, name), name));
  const { playFiles, formatFailure } = require(RUNNER) as typeof Command;
  let failed = 0;
  let count = 0;
  await playFiles({ files, on, scripts: SCRIPTS, from, agent: AGENT }, (report) => {
    count++;
    if (report.failure !== null) failed++;
    if (values.json) console.log(JSON.stringify(report));
    else if (report.failure === null) console.log(`ok      ${report.file}: ${report.title}`);
    else {
      console.log(`failed  ${report.file}: ${report.title}`);
      if (report.linux !== null)
        console.log(`        (the script says that Linux ${report.linux})`);
      console.log(`\n${formatFailure(report.failure)}\n`);
    }
  });
  if (!values.json && count > 1) console.log(`${count - failed} came true, ${failed} did not`);
  return failed === 0 ? 0 : 1;
}

function filesOf(file: string, name: string): string[] {
  const found = fs.statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw usage(`there is no ${name}`);
  if (!found.isDirectory()) return [file];
  return fs
    .readdirSync(file, { recursive: true, encoding: 'utf8' })
    .map((each) => path.join(file, each))
    .filter((each) => each.endsWith('.pkt') && !each.startsWith(PREAMBLES))
    .sort();
}

process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    const isUsage = String(error?.code).startsWith('ERR_PARSE_ARGS');
    const isMistake = error?.constructor?.name === 'ScriptError';
    console.error(isMistake ? error.message : `scripts/packet-script: ${error?.message ?? error}`);
    process.exitCode = isUsage || isMistake ? 2 : 1;
  },
);
