import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { runCommand } from './lib/command.js';
import { converseInMemory } from './lib/demo-memory.js';
import { Report } from './lib/demo-report.js';
import { converseOverTun } from './lib/demo-tun.js';
import { isInOwnNamespace, namespaceFlags, runInOwnNamespace } from './lib/own-namespace.js';

const HELP = `Usage: scripts/demo [--json]

Makes a network namespace with a TUN device in it, serves there with a TCP written in TypeScript,
and lets curl, nc and ping talk to it. Shows each conversation as a ladder of segments with the
state of our side. Where there is no TUN device, two hosts hold the same conversation in memory.

      --json   print one JSON object instead
  -h, --help   print this and exit

Environment: TUNTCP_DEMO=memory goes without a TUN device, NO_COLOR without colours.
Exit status: 0 when everybody got what they should, 1 otherwise, 2 wrong usage.`;

const ROOT = path.join(__dirname, '..');

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (isInOwnNamespace()) return overTun(values.json ?? false);
  const reason = process.env.TUNTCP_DEMO === 'memory' ? 'TUNTCP_DEMO=memory' : whyNoTun();
  if (reason === null) return runInOwnNamespace(__filename, process.argv.slice(2));
  return inMemory(values.json ?? false, reason);
}

async function overTun(json: boolean): Promise<number> {
  const report = new Report('tun', json);
  report.say('A network namespace with a TUN device: the kernel is 10.7.0.1, we are 10.7.0.2.');
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    await converseOverTun(report, ROOT, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return stop.signal.aborted ? 130 : report.finish();
}

async function inMemory(json: boolean, reason: string): Promise<number> {
  const report = new Report('memory', json);
  report.say(`No TUN device here (${reason}), so two hosts talk over a link in memory:`);
  report.say('the client is 10.7.0.1, the server 10.7.0.2; the ladders show the server.');
  process.on('SIGINT', () => process.exit(130));
  await converseInMemory(report, ROOT);
  return report.finish();
}

function whyNoTun(): string | null {
  if (process.platform !== 'linux') return 'TUN devices are a part of Linux';
  if (!fs.existsSync('/dev/net/tun')) {
    return 'there is no /dev/net/tun; a container gets it by --device /dev/net/tun';
  }
  try {
    fs.closeSync(fs.openSync('/dev/net/tun', 'r+'));
  } catch (error) {
    return `/dev/net/tun cannot be opened: ${(error as Error).message}`;
  }
  const unshare = spawnSync('unshare', [...namespaceFlags(), 'true'], { encoding: 'utf8' });
  if (unshare.status !== 0) {
    const why = unshare.error?.message ?? unshare.stderr.trim();
    return `no network namespace can be made: ${why}`;
  }
  try {
    require('node-gyp-build').resolve(ROOT);
  } catch {
    return 'the addon is not compiled';
  }
  const missing = ['curl', 'nc', 'ping', 'ip'].filter(
    (command) => spawnSync('sh', ['-c', 'command -v "$0"', command]).status !== 0,
  );
  return missing.length === 0 ? null : `not installed: ${missing.join(', ')}`;
}

void runCommand('scripts/demo', main);
