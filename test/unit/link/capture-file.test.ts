import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { CaptureFile, type CaptureFileOptions } from '../../../src/link/capture-file.js';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { CapturedPacket } from '../../../src/wire/pcapng.js';

/** Bytes that fit on the disk from now on. */
const disk = vi.hoisted(() => ({ free: Infinity }));
vi.mock('node:fs/promises', async (importActual) => {
  const actual = await importActual<typeof import('node:fs/promises')>();
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  const open: typeof actual.open = async (path, flags) => {
    const handle = await actual.open(path, flags);
    const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<object>;
    const limited = (bytes: Uint8Array, offset: number, length: number, position: number) => {
      const fits = Math.min(length, disk.free);
      if (fits === 0) throw full;
      disk.free -= fits;
      // Not going around the cache: a piece of a page cannot.
      if (fits === length) return write(bytes, offset, length, position);
      writeFileAt(path as string, bytes.subarray(offset, offset + fits), position);
      return { bytesWritten: fits };
    };
    return Object.assign(handle, { write: limited });
  };
  return { ...actual, open };
});

function writeFileAt(path: string, bytes: Uint8Array, position: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
}

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

  it('has every byte of large amounts, over several files', async () => {
    const random = new Random(11);
    const file = make({ maxBytes: 5_000_000, bufferBytes: 2 * 1024 * 1024 });
    const given: Buffer[] = [];
    for (let number = 0; number < 200; number++) {
      const packet = numbered(number, 1 + random.int(random.int(4) === 0 ? 262_144 : 66_000));
      packet.bytes = random.bytes(packet.length);
      packet.bytes[0] = 0x45;
      given.push(Buffer.from(packet.bytes));
      while (!taken(file, packet)) await new Promise((resolve) => setImmediate(resolve));
    }
    await file.close();
    const count = readdirSync(dir).length;
    expect(count).toBeGreaterThan(1);
    const names = Array.from({ length: count }, (_, i) => `a.${i + 1}.pcapng`.replace('.1.', '.'));
    const packets = names.flatMap((name) => [...readCapture(readFileSync(join(dir, name)))]);
    expect(packets.map(({ bytes }) => Buffer.from(bytes).equals(given.shift()!))).not.toContain(
      false,
    );
    expect(given).toEqual([]);
  });

  it.each([100_000, 700_001, 3_000_000])(
    'leaves whole packets when the disk is full after %i bytes',
    async (free) => {
      const file = make();
      disk.free = free;
      for (let i = 0; i < 110; i++) file.packet(numbered(i, 60_000));
      await until(() => !file.open);
      disk.free = Infinity;
      await file.close();
      expect(warnings).toEqual([expect.stringMatching(/a\.pcapng has ended: ENOSPC/)]);
      const left = numbersIn('a.pcapng');
      expect(left).toEqual(Array.from(left, (_, i) => i));
      expect(left.length * 60_000).toBeGreaterThan(free - 190_000);
    },
  );

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

/** Whether there was room for it. */
function taken(file: CaptureFile, packet: CapturedPacket): boolean {
  const { packets } = file;
  file.packet(packet);
  return file.packets > packets;
}

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
