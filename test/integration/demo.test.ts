import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { PROJECT } from './support/namespace.js';
import { requireTun } from './support/require.js';

interface DemoReport {
  ok: boolean;
  mode: string;
  steps: { name: string; ok: boolean; problem: string | null }[];
}

function demo(env: NodeJS.ProcessEnv): { status: number | null; report: DemoReport } {
  const { status, stdout } = spawnSync(`${PROJECT}scripts/demo`, ['--json'], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, report: JSON.parse(stdout) as DemoReport };
}

describe('scripts/demo', { timeout: 60_000 }, () => {
  it('gives curl, nc and ping what they should get', (context) => {
    requireTun(context, 'curl', 'nc', 'ping', 'ip');
    const { status, report } = demo({});
    expect(report.mode).toBe('tun');
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.steps).toHaveLength(8);
    expect(status).toBe(0);
  });

  it('holds the same conversation in memory', () => {
    const { status, report } = demo({ TUNTCP_DEMO: 'memory' });
    expect(report.mode).toBe('memory');
    expect(report.steps.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.steps.length).toBeGreaterThanOrEqual(6);
    expect(status).toBe(0);
  });
});
