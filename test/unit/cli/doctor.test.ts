import { describe, expect, it } from 'vitest';
import { main } from '../../../src/cli/cli.js';
import type { Check } from '../../../src/cli/doctor.js';
import type { Facts } from '../../../src/cli/facts.js';
import { HEALTHY, World } from './world.js';

async function doctor(facts: Partial<Facts>, ...argv: string[]) {
  const world = new World();
  world.facts = { ...HEALTHY, ...facts };
  const code = await main(['doctor', ...argv], world);
  return { code, out: world.stdout.text };
}

describe('tuntcp doctor', () => {
  it('is content with a healthy machine', async () => {
    const { code, out } = await doctor({});
    expect(code).toBe(0);
    expect(out).toMatchSnapshot();
  });

  it.each<[Partial<Facts>, number, string | null]>([
    [{ nodeVersion: '20.18.3' }, 1, 'Node.js'],
    [{ nodeVersion: '26.0.0' }, 0, null],
    [{ addon: 'the native addon cannot be loaded' }, 1, 'native addon'],
    [{ tun: 'ENOENT' }, 1, '/dev/net/tun'],
    [{ tun: 'EACCES' }, 1, '/dev/net/tun'],
    [{ netAdmin: false }, 0, 'CAP_NET_ADMIN'],
    [{ userNamespaces: 'apparmor' }, 0, 'user namespaces'],
    [{ netAdmin: false, userNamespaces: 'limit' }, 1, 'CAP_NET_ADMIN'],
    [{ offload: false }, 0, 'offload'],
    [{ offload: null }, 0, null],
  ])('%j: exit code %i, fix for %s', async (facts, code, name) => {
    const answer = await doctor(facts, '--json');
    const { ok, checks } = JSON.parse(answer.out) as { ok: boolean; checks: Check[] };
    expect([answer.code, ok]).toEqual([code, code === 0]);
    const broken = checks.filter((check) => !check.ok);
    expect(broken[0]?.name ?? null).toBe(name);
    for (const check of checks) expect(check.fix === null).toBe(check.ok);
    for (const { fix } of broken) expect(fix).toMatch(/^\S[^\n]+$/);
  });

  it('names the line that fixes it', async () => {
    const { out } = await doctor({ netAdmin: false, userNamespaces: 'apparmor' });
    expect(out).toContain('fix: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0\n');
    expect(out).toContain('MISSING  user namespaces');
    expect(out).toContain('cannot work here yet');
  });
});
