import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { PROJECT } from './support/namespace.js';
import { requireTun } from './support/require.js';

/** As short as can be: it is the ways of the bytes that are tried, not how fast they go. */
const SHORT = ['--seconds', '0.3', '--runs', '1', '--anyway', '--json'];

function versus(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    `${PROJECT}scripts/versus-linux`,
    [...args, ...SHORT],
    { encoding: 'utf8', timeout: 60_000 },
  );
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe('scripts/versus-linux', { timeout: 60_000 }, () => {
  it('measures a cell for Linux, for sending and for receiving', (context) => {
    requireTun(context, 'cc', 'ip', 'nsenter');
    const { cells, checks, failures } = versus(
      '--cells',
      '10ms-1%-burst-reorder',
      '--linux',
      'reno',
    );
    expect(failures).toEqual([]);
    expect(checks[0].rates[0]).toBeGreaterThan(0);
    const [{ trials, sending, receiving }] = cells;
    const done = trials.map((trial: { combination: string }) => trial.combination);
    expect(done.sort()).toEqual(['linux', 'receiving', 'sending']);
    for (const { goodput } of trials) expect(goodput).toBeGreaterThan(0);
    // One run tells nothing.
    expect([sending.verdict, receiving.verdict]).toEqual(['noise', 'noise']);
  });
});
