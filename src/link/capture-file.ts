import { extname } from 'node:path';
import type { Runtime } from '../runtime/runtime.js';
import { systemRuntime } from '../runtime/system.js';
import {
  type CapturedPacket,
  type CaptureInterface,
  DEFAULT_SNAPLEN,
  enhancedPacketBytes,
  interfaceDescription,
  interfaceStatistics,
  sectionHeader,
  writeEnhancedPacket,
} from '../wire/pcapng.js';
import { APPLICATION, type CaptureSink } from './capture-sink.js';
import { WriteBehind } from './write-behind.js';

export interface CaptureFileOptions {
  /** Default: the real world. */
  runtime?: Runtime;
  /** A file that would grow beyond this many bytes is followed by another. Default: one file. */
  maxBytes?: number;
  /** Files that are kept; the oldest is deleted. Default: all. */
  files?: number;
  /** Bytes that may wait for the disk; what comes when they do is lost. Default 8 MiB, 1 MiB or more. */
  bufferBytes?: number;
  /** Hears, at most once, why the capture has ended before {@link CaptureFile.close}. */
  warn?: (message: string) => void;
}

/** More than any block of a packet has, with its comment. */
const BLOCK_BYTES = DEFAULT_SNAPLEN + 1_024;
const LEAST_BUFFER_BYTES = 1024 * 1024;
/** Room that packets leave for blocks that must not be missing: ends of files, and their beginnings. */
const RESERVE_BYTES = 64 * 1024;
const STATISTICS_BYTES = interfaceStatistics(0, 0, 0, 0, 0).length;

interface InterfaceState {
  readonly block: Uint8Array;
  received: number;
  lost: number;
}

/**
 * Writes packets to a pcapng file, or to several in turn: `a.pcapng`, `a.2.pcapng`, `a.3.pcapng`. An
 * existing file is replaced. Writing goes on beside everything else; a disk that is too slow costs
 * packets, which are counted and noted at the end of each file, and one that fails ends the capture.
 */
export class CaptureFile implements CaptureSink {
  /** Packets that found no room because the disk was too slow. */
  lost = 0;
  /** Packets that were taken for the file. */
  packets = 0;
  readonly #path: string;
  readonly #runtime: Runtime;
  readonly #maxBytes: number;
  readonly #files: number;
  readonly #warn: (message: string) => void;
  readonly #interfaces: InterfaceState[] = [];
  readonly #disk: WriteBehind;
  #file = 0;
  #fileBytes = 0;
  #filePackets = 0;
  #timeHigh = 0;
  #timeLow = 0;
  #open = true;
  #failed = false;
  #scheduled = false;
  #writing = Promise.resolve();

  /** @throws RangeError (ERR_OUT_OF_RANGE) naming the option */
  constructor(path: string, options: CaptureFileOptions = {}) {
    this.#path = path;
    this.#runtime = options.runtime ?? systemRuntime();
    this.#maxBytes = atLeast('maxBytes', options.maxBytes ?? Infinity, 1);
    this.#files = atLeast('files', options.files ?? Infinity, 1);
    const buffer = options.bufferBytes ?? 8 * LEAST_BUFFER_BYTES;
    this.#disk = new WriteBehind(atLeast('bufferBytes', buffer, LEAST_BUFFER_BYTES), BLOCK_BYTES);
    this.#warn = options.warn ?? (() => {});
    this.#beginFile();
    this.#schedule();
  }

  get open(): boolean {
    return this.#open;
  }

  addInterface(iface: CaptureInterface): number {
    const block = interfaceDescription(iface);
    this.#append(block);
    return this.#interfaces.push({ block, received: 0, lost: 0 }) - 1;
  }

  packet(packet: CapturedPacket): void {
    if (!this.#open) return;
    const iface = this.#interfaces[packet.iface]!;
    iface.received++;
    this.#timeHigh = packet.timeHigh;
    this.#timeLow = packet.timeLow;
    const length = enhancedPacketBytes(packet);
    if (!this.#roomFor(length)) {
      iface.lost++;
      this.lost++;
      return;
    }
    const disk = this.#disk;
    disk.commit(writeEnhancedPacket(disk.bytes, disk.view, disk.index, packet));
    this.#fileBytes += length;
    this.#filePackets++;
    this.packets++;
    this.#schedule();
  }

  /** Writes what still waits and closes the file. Never rejects. Idempotent. */
  async close(): Promise<void> {
    if (this.#open) {
      this.#endFile();
      this.#open = false;
    }
    await this.#writing;
    this.#write();
    await this.#writing;
    await this.#disk.close();
  }

  /** Begins another file when this one has no room for `length` bytes; false when that must wait. */
  #roomFor(length: number): boolean {
    if (length + RESERVE_BYTES > this.#disk.free) return false;
    const end = length + STATISTICS_BYTES * this.#interfaces.length;
    if (this.#filePackets > 0 && this.#fileBytes + end > this.#maxBytes) {
      this.#endFile();
      this.#beginFile();
    }
    return true;
  }

  #beginFile(): void {
    this.#file++;
    this.#fileBytes = 0;
    this.#filePackets = 0;
    const oldest = this.#file - this.#files;
    this.#disk.beginFile(this.#pathOf(this.#file), oldest >= 1 ? this.#pathOf(oldest) : null);
    this.#append(sectionHeader(APPLICATION));
    for (const { block } of this.#interfaces) this.#append(block);
  }

  #endFile(): void {
    for (const [i, { received, lost }] of this.#interfaces.entries()) {
      this.#append(interfaceStatistics(i, this.#timeHigh, this.#timeLow, received, lost));
    }
  }

  /** For blocks that must not be missing, and are short. */
  #append(block: Uint8Array): void {
    if (!this.#open) return;
    this.#disk.bytes.set(block, this.#disk.index);
    this.#disk.commit(block.length);
    this.#fileBytes += block.length;
    this.#schedule();
  }

  /** Writes soon, so that what comes in this turn goes along. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#runtime.yield(() => this.#write());
  }

  #write(): void {
    this.#writing = this.#writing.then(() => this.#drain());
  }

  async #drain(): Promise<void> {
    this.#scheduled = false;
    if (this.#failed) return;
    try {
      await this.#disk.drain();
    } catch (error) {
      this.#failed = true;
      this.#open = false;
      await this.#disk.abandon();
      this.#warn(`the capture to ${this.#disk.path} has ended: ${(error as Error).message}`);
    }
  }

  #pathOf(file: number): string {
    if (file === 1) return this.#path;
    const extension = extname(this.#path);
    return `${this.#path.slice(0, this.#path.length - extension.length)}.${file}${extension}`;
  }
}

function atLeast(option: string, value: number, min: number): number {
  if (value >= min && (value === Infinity || Number.isSafeInteger(value))) return value;
  const message = `The value of "options.${option}" is out of range. It must be an integer >= ${min}. Received ${value}`;
  throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}
