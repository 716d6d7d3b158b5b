import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CaptureFile, type CaptureFileOptions } from '../../../src/link/capture-file.js';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { CapturedPacket } from '../../../src/wire/pcapng.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tuntcp-capture-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const warnings: string[] = [];
beforeEach(() => void (warnings.length = 0));

function make(options: CaptureFileOptions = {}, path = join(dir, 'a.pcapng')) {
  const file = new CaptureFile(path, { warn: (message) => warnings.push(message), ...options });
  file.addInterface({ name: 'tun0', snaplen: 262_144 });
  return file;
}

function numbered(number: number, length = 1_000): CapturedPacket {
  const packet = new CapturedPacket();
  packet.bytes = new Uint8Array(length);
  packet.bytes[0] = 0x45;
  packet.timeLow = number;
  packet.length = packet.originalLength = length;
  return packet;
}

const numbersIn = (name: string) =>
  [...readCapture(readFileSync(join(dir, name)))].map(({ time }) => Number(time));

describe('CaptureFile', () => {
  it('has what it was given, while it goes on and at the end', async () => {
    const file = make();
    for (let i = 0; i < 100; i++) file.packet(numbered(i));
    await until(() => existsSync(join(dir, 'a.pcapng')) && numbersIn('a.pcapng').length === 100);
    file.packet(numbered(100));
    await file.close();
    await file.close();
    expect(numbersIn('a.pcapng')).toEqual(Array.from({ length: 101 }, (_, i) => i));
    file.packet(numbered(101));
    expect([file.open, file.packets, file.lost, warnings]).toEqual([false, 101, 0, []]);
  });

  it('goes on in another file at the given size, and keeps as many as asked', async () => {
    const file = make({ maxBytes: 10_000, files: 3 });
    for (let i = 0; i < 50; i++) {
      file.packet(numbered(i));
      if (i % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await file.close();
    // Nine packets fit into each.
    const names = ['a.4.pcapng', 'a.5.pcapng', 'a.6.pcapng'];
    expect(readdirSync(dir).sort()).toEqual(names);
    for (const name of names) expect(statSync(join(dir, name)).size).toBeLessThanOrEqual(10_000);
    expect(names.flatMap(numbersIn)).toEqual(Array.from({ length: 23 }, (_, i) => 27 + i));
    expect([file.packets, file.lost]).toEqual([50, 0]);
  });

  it('loses packets with a count when the disk does not follow, never memory', async () => {
    const file = make({ bufferBytes: 1024 * 1024 });
    // All in one turn: nothing can be written meanwhile.
    for (let i = 0; i < 100; i++) file.packet(numbered(i, 60_000));
    const { packets, lost } = file;
    expect(packets + lost).toBe(100);
    expect(packets * 60_000).toBeLessThanOrEqual(1024 * 1024);
    expect(packets).toBeGreaterThan(10);
    await until(
      () => existsSync(join(dir, 'a.pcapng')) && numbersIn('a.pcapng').length === packets,
    );
    file.packet(numbered(100));
    await file.close();
    expect(numbersIn('a.pcapng')).toEqual([...Array.from({ length: packets }, (_, i) => i), 100]);
    // isb_ifdrop, in the statistics at the end.
    expect(readFileSync(join(dir, 'a.pcapng')).at(-16)).toBe(lost);
  });

  it('ends with one warning when the disk is full', async (context) => {
    if (!existsSync('/dev/full')) context.skip('there is no /dev/full');
    const file = make({}, '/dev/full');
    file.packet(numbered(1));
    await until(() => !file.open);
    file.packet(numbered(2));
    await file.close();
    expect(warnings).toEqual([
      expect.stringMatching(/^the capture to \/dev\/full has ended: ENOSPC/),
    ]);
  });

  it('ends with one warning when the file cannot be written', async () => {
    const file = make({}, join(dir, 'missing', 'a.pcapng'));
    await until(() => !file.open);
    file.packet(numbered(1));
    await file.close();
    expect(warnings).toEqual([
      expect.stringMatching(/^the capture to .*a\.pcapng has ended: ENOENT/),
    ]);
  });

  it('names the option that makes no sense', () => {
    expect(() => make({ maxBytes: 0 })).toThrow(/"options.maxBytes" is out of range/);
    expect(() => make({ files: 1.5 })).toThrow(/"options.files" is out of range/);
    expect(() => make({ bufferBytes: 1 })).toThrow(/"options.bufferBytes" is out of range/);
  });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holdsNow(holds)) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** A file that is being written may be cut off at this moment. */
function holdsNow(holds: () => boolean): boolean {
  try {
    return holds();
  } catch {
    return false;
  }
}
