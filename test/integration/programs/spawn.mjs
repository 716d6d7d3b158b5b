// Commands in a namespace of their own, with the device here.
import { readdirSync, readlinkSync } from 'node:fs';
import { probeNamespace, spawnInNamespace } from '../../../dist/link/namespace.js';
import { echoReplier, names, report } from './packets.mjs';

const tuns = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === '/dev/net/tun';
    } catch {
      return false;
    }
  }).length;

async function run(script, more = {}) {
  const { link, child } = await spawnInNamespace({
    command: 'sh',
    args: ['-c', script],
    stdio: ['ignore', 'pipe', 'inherit'],
    prepare: (ready) => ready.open(echoReplier(ready)),
    ...more,
  });
  let out = '';
  child.stdout.on('data', (data) => {
    out += data;
  });
  if (script.includes('sleep')) child.kill('SIGTERM');
  const [code, signal] = await new Promise((resolve) => {
    child.on('close', (...status) => resolve(status));
  });
  link.close();
  return { code, signal, out, offload: link.offload, mtu: link.mtu };
}

const result = {
  probe: probeNamespace(),
  ping: await run('ping -q -c 2 -i 0.2 -W 5 10.7.0.2 >&2 && ping -q -c 1 -W 5 203.0.113.9 >&2'),
  plain: await run('ping -q -c 1 -W 5 10.7.0.2 >&2', { offload: false, mtu: 1400 }),
  exit: await run('echo $PPID; exit 7'),
  killed: await run('exec sleep 60'),
  missing: await spawnInNamespace({ command: 'no-such-command' }).catch((error) => error.message),
  prepare: await run('true', {
    prepare() {
      throw new Error('not ready');
    },
  }).catch((error) => error.message),
};
report({ ...result, pid: process.pid, names: names(), tuns: tuns() });
