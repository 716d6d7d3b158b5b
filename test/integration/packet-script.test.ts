import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROJECT } from './support/namespace.js';
import { requireTun } from './support/require.js';

const SCRIPT = `\`establish passive\`
write(4, ..., 10) = 10
> P. 1:11(10) ack 1
`;

/** The first run compiles the runner. */
describe('scripts/packet-script', { timeout: 60_000 }, () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tuntcp-scripts-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function play(text: string, ...args: string[]) {
    writeFileSync(join(folder, 'a.pkt'), text);
    const { status, stdout, stderr } = spawnSync(
      `${PROJECT}scripts/packet-script`,
      ['a.pkt', ...args],
      { cwd: folder, encoding: 'utf8', timeout: 60_000 },
    );
    return { status, stdout, stderr };
  }

  it('tells that a script came true', () => {
    expect(play(`// Ten octets\n${SCRIPT}`)).toMatchObject({
      status: 0,
      stdout: 'ok      a.pkt: Ten octets\n',
    });
  });

  it('plays it to Linux', (context) => {
    requireTun(context, 'cc');
    const { status, stdout } = play(SCRIPT, '--on', 'linux', '--json');
    expect({ status, ...JSON.parse(stdout) }).toMatchObject({
      status: 0,
      on: 'linux',
      failure: null,
    });
  });

  it('shows one that did not, and exits with 1', () => {
    const { status, stdout } = play(SCRIPT.replace('ack 1', 'ack 2'));
    expect(status).toBe(1);
    expect(stdout).toContain('a.pkt:3: not so with our host');
  });

  it('exits with 2 for a mistake, with its place', () => {
    const { status, stderr } = play('< X 0:0(0)');
    expect(status).toBe(2);
    expect(stderr).toContain('a.pkt:1: `X` in `X` is no flag');
    expect(play(SCRIPT, '--on', 'moon')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--on takes ours or linux, not 'moon'"),
    });
  });
});
