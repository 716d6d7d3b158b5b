import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readCapture } from '../../src/wire/pcap-reader.js';
import { runFailing } from '../support/run-failing.js';
import { requireTun } from './support/require.js';

it('shows what passed between the kernel and tuntcp serve', {
  timeout: 60_000,
}, async (context) => {
  requireTun(context, 'nc');
  const folder = mkdtempSync(join(tmpdir(), 'tuntcp-failures-'));
  try {
    const run = await runFailing('serve.failing.ts', folder);
    for (const name of ['has its words back', 'waits in vain']) {
      const text = run.about(name);
      expect(text).toMatch(/^seed \d+; again: TUNTCP_SEED=/m);
      expect(text).toMatch(/^\$ nc .+ \((?:exit 0|still runs)\)\n {4}hello$/m);
      expect(text).toMatch(/^ +0\.000 ms +\(SYN_SENT\) \|-+ SYN seq=0 .+->\|/m);
      expect(text).toMatch(/^[\d:.]+ IP 10\.7\.0\.1\.\d+ > 10\.7\.0\.2\.7: Flags \[S\], seq/m);
      const path = /^wrote (.+\.pcapng): open with wireshark/m.exec(text)![1]!;
      const packets = [...readCapture(readFileSync(path))];
      expect(packets.some(({ bytes }) => Buffer.from(bytes).includes('hello\n'))).toBe(true);
    }
    const much = run.about('moves much');
    expect(much).toMatch(/^No capture of so many bytes; TUNTCP_TEST_PCAP_FILTER=/m);
    expect(much).not.toContain('.pcapng: open');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
