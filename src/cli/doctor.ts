import { wantsColour } from '../stack/ladder.js';
import { parse } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { Facts, UserNamespaces } from './facts.js';
import type { Io } from './io.js';

const HELP = `Usage: tuntcp doctor [--json]

Checks what tuntcp needs of this machine, and prints for each thing that is not there the line that
fixes it. Changes nothing.

      --json    print {"ok", "checks": [{"name", "ok", "needed", "detail", "fix"}]}
  -h, --help    print this and exit

Exit status: 0 when tuntcp serve or tuntcp run can work here, else 1; 2 wrong usage.
`;

export interface Check {
  name: string;
  ok: boolean;
  /** Nothing works without it; of CAP_NET_ADMIN and user namespaces, one is enough. */
  needed: boolean;
  detail: string;
  /** A line to type; null when there is nothing to fix. */
  fix: string | null;
}

export const doctor: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, { json: { type: 'boolean', default: false } });
  if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
  const checks = examine(await io.platform.facts());
  const ok = checks.every((check) => check.ok || !check.needed);
  if (values.json) io.stdout.write(`${JSON.stringify({ ok, checks })}\n`);
  else io.stdout.write(report(checks, ok, wantsColour(io.stdout, io.env)));
  return ok ? 0 : 1;
}

/** Judges the facts. */
export function examine(facts: Facts): Check[] {
  const rights = facts.netAdmin || facts.userNamespaces === 'yes';
  return [
    nodeCheck(facts.nodeVersion),
    check('native addon', facts.addon === null, true, {
      good: 'loads',
      bad: facts.addon ?? '',
      fix: 'npm rebuild tuntcp   (needs a C++ compiler, make and python3)',
    }),
    tunCheck(facts),
    check('CAP_NET_ADMIN', facts.netAdmin, !rights, {
      good: 'devices can be made here: tuntcp serve works',
      bad: 'this process may not make devices',
      fix: 'sudo tuntcp serve   (or, without root: tuntcp run -- curl http://10.7.0.2/)',
    }),
    check('user namespaces', facts.userNamespaces === 'yes', !rights, {
      good: 'tuntcp run works',
      ...NAMESPACE_FIXES[facts.userNamespaces],
    }),
    offloadCheck(facts),
  ];
}

const NAMESPACE_FIXES: Record<UserNamespaces, { bad: string; fix: string }> = {
  yes: { bad: '', fix: '' },
  'clone-switch': {
    bad: 'switched off for ordinary users',
    fix: 'sudo sysctl kernel.unprivileged_userns_clone=1',
  },
  apparmor: {
    bad: 'restricted by AppArmor',
    fix: 'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0',
  },
  limit: { bad: 'their number is limited to 0', fix: 'sudo sysctl user.max_user_namespaces=15000' },
  'no-unshare': { bad: 'the command unshare is missing', fix: 'sudo apt-get install util-linux' },
  refused: {
    bad: 'refused by the system',
    fix: 'in a container: docker run --device /dev/net/tun --cap-add NET_ADMIN ...',
  },
};

function check(
  name: string,
  ok: boolean,
  needed: boolean,
  words: { good: string; bad: string; fix: string },
): Check {
  return { name, ok, needed, detail: ok ? words.good : words.bad, fix: ok ? null : words.fix };
}

function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return check('Node.js', major > 20 || (major === 20 && minor >= 19), true, {
    good: version,
    bad: `${version} is older than 20.19`,
    fix: 'npx -y -p node@24 -- node --version   (or install Node.js 20.19 or later)',
  });
}

function tunCheck(facts: Facts): Check {
  const fixes: Record<string, string> = {
    EACCES: 'sudo chmod 0666 /dev/net/tun',
    EPERM: 'in a container: docker run --device /dev/net/tun --cap-add NET_ADMIN ...',
  };
  const absent = facts.netAdmin
    ? 'modprobe tun; mkdir -p /dev/net; mknod -m 666 /dev/net/tun c 10 200'
    : 'sudo modprobe tun   (in a container: docker run --device /dev/net/tun ...)';
  return check('/dev/net/tun', facts.tun === null, true, {
    good: 'can be opened',
    bad: facts.platform === 'linux' ? `${facts.tun}` : `there is none on ${facts.platform}`,
    fix:
      facts.platform === 'linux'
        ? (fixes[facts.tun ?? ''] ?? absent)
        : 'use Linux, or scripts/demo, which then runs in memory',
  });
}

function offloadCheck(facts: Facts): Check {
  if (facts.offload === null) {
    const detail = 'not known before a device can be made; tried each time';
    return { name: 'offload', ok: true, needed: false, detail, fix: null };
  }
  return check('offload', facts.offload, false, {
    good: 'segmentation and checksums are left to the kernel',
    bad: 'not offered by this kernel: slower, all else works',
    fix: 'update the kernel (2.6.27 or later has it)',
  });
}

function report(checks: Check[], ok: boolean, colour: boolean): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.map((one) => {
    const word = one.ok ? 'ok' : one.needed ? 'MISSING' : 'no';
    const code = one.ok ? 32 : one.needed ? 31 : 33;
    const mark = colour ? `\x1b[${code}m${word}\x1b[0m` : word;
    const pad = ' '.repeat(7 - word.length);
    const fix = one.fix === null ? '' : `\n${' '.repeat(9)}fix: ${one.fix}`;
    return `${mark}${pad}  ${one.name.padEnd(width)}  ${one.detail}${fix}\n`;
  });
  return `${lines.join('')}${ok ? 'tuntcp can work here.' : 'tuntcp cannot work here yet.'}\n`;
}
