import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { type FailingRun, runAgain, runFailing } from '../../support/run-failing.js';

let folder: string;
let run: FailingRun;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tuntcp-failures-'));
  writeFileSync(join(folder, 'of-the-run-before.pcapng'), '');
  writeFileSync(join(folder, 'notes.md'), '');
  run = await runFailing('conversations.failing.ts', folder, { TUNTCP_SEED: '77' });
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The comments on the packets of the capture that a text names, null where there is none. */
function commentsIn(text: string): (string | null)[] {
  const path = /^wrote (.+\.pcapng): open with wireshark/m.exec(text)![1]!;
  return [...readCapture(readFileSync(path))].map(({ comment }) => comment);
}

describe('a failing test', () => {
  it('shows seed, ladder, lines and capture of a conversation', () => {
    const text = run.about('loses a segment');
    expect(text).toMatch(/AssertionError: expected 'hello' to be 'goodbye'/);
    expect(text).toMatch(
      /^seed 77; again: TUNTCP_SEED=77 npx vitest run \S+ -t 'loses a segment\$'/m,
    );
    expect(text).toMatch(/^two hosts, the runtime's seed 5$/m);
    expect(text).toMatch(/^a on the left, b on the right:\n.+\n.+CLOSED .+LISTEN\n.+SYN seq=0/m);
    expect(text).toMatch(/^ 100\.000 ms .+len=5 .+X {5}\|$/m);
    expect(text).toMatch(/^ 310\.000 ms .+len=5 \(again: TLP\)/m);
    expect(text).toMatch(/^ +100\.000 a > \. .+LOST$/m);
    expect(commentsIn(text)).toEqual([null, null, null, 'lost on the way', null, null]);
  });

  it('shows that of a scripted peer', () => {
    const text = run.about("isn't (what it seems) > $ is [not] + expected");
    expect(text).toMatch(/^as the host sees it:\n.+\n.+LISTEN\n.+SYN_RECEIVED$/m);
    expect(text).toMatch(/^ +0\.000 host > \. seq 1 ack 6/m);
    expect(commentsIn(text)).toHaveLength(5);
  });

  it('shows the end of a long one, and writes all of it', () => {
    const text = run.about('takes long');
    const left = Number(/^\.\.\. (\d+) lines before \.\.\.$/m.exec(text)![1]);
    expect(left).toBeGreaterThan(100);
    const whole = readFileSync(/^wrote (.+\.txt): /m.exec(text)![1]!, 'utf8');
    expect(whole).not.toContain('lines before');
    expect(whole.split('\n').length).toBeGreaterThan(left);
    expect(commentsIn(text).length).toBeGreaterThan(100);
  });

  it('shows only the latest of many', () => {
    const text = run.about('makes one peer after the other');
    expect(text).toContain('(4 earlier ones are not shown)');
    expect(text.match(/^ +10\.0\.0\.1:500\d/gm)).toHaveLength(4);
    expect(text).toContain('10.0.0.1:5007');
  });

  it('shows only the counterexample that fast-check ends with', () => {
    const text = run.about('finds a counterexample');
    expect(text).toMatch(/Counterexample: \[1000\]/);
    expect(text.match(/^two hosts, the runtime's seed \d+$/gm)).toEqual([
      "two hosts, the runtime's seed 1000",
    ]);
    const comments = commentsIn(text);
    expect(comments).toContain('arrives 2 times, 0 and 3 ms late');
    expect(comments).toContain('changed on the way');
  });

  it('shows a conversation that is there for all tests of a file', () => {
    const text = run.about('with a conversation for all > fails with it');
    expect(text).toMatch(/^two hosts, the runtime's seed 9$/m);
    expect(commentsIn(text)).toHaveLength(3);
  });

  it('that has no conversation shows how to run it again', () => {
    const text = run.about('has no conversation');
    expect(text).toMatch(/^seed 77; again: .+ -t 'has no conversation\$'$/m);
    expect(text).not.toContain('wrote');
  });
});

describe('the folder of captures', () => {
  it('has nothing of tests that pass nor of an earlier run', () => {
    const names = readdirSync(folder).sort();
    expect(names.filter((name) => name.endsWith('.txt'))).toHaveLength(6);
    expect(names.filter((name) => name.includes('passes'))).toEqual([]);
    expect(existsSync(join(folder, 'of-the-run-before.pcapng'))).toBe(false);
    expect(names).toContain('notes.md');
  });
});

it('runs again, alone and with its seed, by the command that is printed', async () => {
  const name = "isn't (what it seems) > $ is [not] + expected";
  const command = /again: (.+)$/m.exec(run.about(name))![1]!;
  const again = await runAgain(command, folder);
  expect(again.output).toMatch(/Tests +1 failed \| \d+ skipped/);
  expect(again.about(name)).toContain('seed 77;');
}, 60_000);
