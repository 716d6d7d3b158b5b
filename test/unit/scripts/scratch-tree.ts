import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** A folder of each test's own, gone when the test is over. */
export class ScratchTree {
  root = '';

  constructor() {
    beforeEach(() => {
      this.root = mkdtempSync(join(tmpdir(), 'tuntcp-scratch-'));
    });
    afterEach(() => rmSync(this.root, { recursive: true, force: true }));
  }

  /** Writes texts by their paths within the folder. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(join(this.root, dirname(file)), { recursive: true });
      writeFileSync(join(this.root, file), text);
    }
  }
}
