import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { conversationsIn } from '../../src/stack/captured-conversations.js';
import { Scene } from '../unit/stack/scene.js';
import { requireCommands, TOOLS } from './support/require.js';

/**
 * The numbers of the frames that tshark takes for sent again. Within a round trip of new data it takes
 * them for out of order; nothing is reordered here.
 */
function repeatedIn(capture: Uint8Array): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'tuntcp-ladder-'));
  try {
    const path = join(folder, 'a.pcapng');
    writeFileSync(path, capture);
    const wanted = 'tcp.analysis.retransmission or tcp.analysis.out_of_order';
    const filter = ['-Y', wanted, '-T', 'fields', '-e', 'frame.number'];
    const { status, stdout, stderr } = spawnSync('tshark', ['-n', '-r', path, ...filter], {
      env: { ...process.env, PATH: TOOLS },
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    return stdout.trim().split('\n').filter(Boolean).map(Number);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const LOSSES: Readonly<Record<string, readonly number[]>> = {
  'the SYN': [1],
  'the answer to the SYN': [2],
  'data both ways': [7, 16, 18, 25, 40, 60, 61, 62],
  'many in a row': [30, 31, 32, 33, 34],
};

describe('tshark takes for sent again what the ladder of a capture does', () => {
  for (const [name, lost] of Object.entries(LOSSES)) {
    it(`when ${name} is lost`, (context) => {
      requireCommands(context, 'tshark');
      const scene = new Scene(lost);
      scene.open();
      scene.run(3_000);
      for (let i = 0; i < 60; i++) {
        scene.client.write(Buffer.alloc(1_460));
        scene.server.write(Buffer.alloc(700));
        scene.run(3);
      }
      scene.run(10_000);
      const lines = conversationsIn(scene.packets())[0]!.lines();
      const segments = lines.filter((line) => line.kind === 'segment');
      const again = segments.flatMap((line, i) => (line.retransmission ? [i + 1] : []));
      expect(again).toEqual(repeatedIn(scene.capture()));
      expect(segments.length).toBeGreaterThan(100);
    });
  }
});
