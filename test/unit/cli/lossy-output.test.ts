import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { LossyOutput } from '../../../src/cli/lossy-output.js';

/** Takes nothing until {@link read}, then everything. */
class SlowReader extends Writable {
  text = '';
  #waiting: (() => void) | null = null;
  #reading = false;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    if (this.#reading) done();
    else this.#waiting = done;
  }

  read(): void {
    this.#reading = true;
    this.#waiting?.();
  }
}

it('loses lines that a reader does not take, and says how many once it reads again', async () => {
  const reader = new SlowReader();
  const output = new LossyOutput(reader, (lost) => `[${lost} lines lost]`);
  const line = `${'x'.repeat(9_999)}\n`;
  for (let i = 0; i < 1_000; i++) output.write(line);
  expect(reader.writableLength).toBeLessThan(1.1 * 1024 * 1024);
  reader.read();
  output.write('on\n');
  await output.end();
  const lines = reader.text.split('\n');
  const kept = lines.filter((one) => one.startsWith('x')).length;
  expect(lines.slice(kept)).toEqual([`[${1_000 - kept} lines lost]`, 'on', '']);
});
