import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { PROJECT } from './support/namespace.js';
import { requireTun } from './support/require.js';

/** Enough for every limit to be met, and little enough for a slow machine to keep up with. */
const BOUNDED = ['--seconds', '2', '--rate', '20000', '--connections', '300', '--json'];

function flood(kind: string, tcp: object) {
  const { status, stdout, stderr } = spawnSync(
    `${PROJECT}scripts/floods`,
    [...BOUNDED, '--kinds', kind, '--tcp', JSON.stringify(tcp)],
    { encoding: 'utf8', timeout: 60_000 },
  );
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  const [outcome] = JSON.parse(stdout).outcomes;
  expect(outcome.curl.failed).toBe(0);
  expect(outcome.curl.answered).toBeGreaterThan(0);
  return outcome;
}

describe('scripts/floods', { timeout: 60_000 }, () => {
  it('answers curl while SYNs are forged, and keeps no more of them than the backlog', (context) => {
    requireTun(context, 'cc', 'curl', 'ip');
    const { counted, connections } = flood('syn', { backlog: 64, maxTimeWait: 0 });
    expect(counted.tcpSyncookiesSent).toBeGreaterThan(1_000);
    expect(connections).toBeLessThan(64 + 20);
  });

  it('answers curl while peers hold all memory that there is, and no more', (context) => {
    requireTun(context, 'cc', 'curl', 'ip');
    const most = 1024 * 1024;
    const { opened, buffers } = flood('zerowindow', { maxMemory: most });
    expect(opened).toBeGreaterThan(100);
    expect(buffers).toBeGreaterThan(most);
    // One buffer may have grown when the limit was met, and each may hold 16 KiB beyond it.
    expect(buffers).toBeLessThan(most + 300 * 1024 + opened * 16 * 1024);
  });
});
