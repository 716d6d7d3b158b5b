import { type FileHandle, open, unlink } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Runtime } from '../runtime/runtime.js';
import { systemRuntime } from '../runtime/system.js';
import {
  type CapturedPacket,
  type CaptureInterface,
  enhancedPacketBytes,
  interfaceDescription,
  interfaceStatistics,
  sectionHeader,
  writeEnhancedPacket,
} from '../wire/pcapng.js';
import { APPLICATION, type CaptureSink } from './capture-sink.js';

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

const CHUNK_BYTES = 512 * 1024;
const STATISTICS_BYTES = interfaceStatistics(0, 0, 0, 0, 0).length;

/** Whole blocks of one file that wait for the disk. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  used: number;
  /** Number of the file they belong to, from 1 on. */
  file: number;
}

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
  readonly #chunkLimit: number;
  readonly #warn: (message: string) => void;
  readonly #interfaces: InterfaceState[] = [];
  readonly #spare: Chunk[] = [];
  readonly #queue: Chunk[] = [];
  #chunks = 0;
  #current: Chunk | null = null;
  #file = 0;
  #fileBytes = 0;
  #filePackets = 0;
  #timeHigh = 0;
  #timeLow = 0;
  #open = true;
  #handle: FileHandle | null = null;
  #handleFile = 0;
  /** Bytes of whole chunks in the file that is open. */
  #written = 0;
  /** Bytes of the first chunk of the queue that are in the file already. */
  #partial = 0;
  #scheduled = false;
  #writing = Promise.resolve();

  /** @throws RangeError (ERR_OUT_OF_RANGE) naming the option */
  constructor(path: string, options: CaptureFileOptions = {}) {
    this.#path = path;
    this.#runtime = options.runtime ?? systemRuntime();
    this.#maxBytes = atLeast('maxBytes', options.maxBytes ?? Infinity, 1);
    this.#files = atLeast('files', options.files ?? Infinity, 1);
    const buffer = atLeast('bufferBytes', options.bufferBytes ?? 8 * 1024 * 1024, 2 * CHUNK_BYTES);
    this.#chunkLimit = Math.floor(buffer / CHUNK_BYTES);
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
    const chunk = this.#rotated(length) ? this.#room(length) : null;
    if (chunk === null) {
      iface.lost++;
      this.lost++;
      return;
    }
    chunk.used += writeEnhancedPacket(chunk.bytes, chunk.view, chunk.used, packet);
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
      this.#seal();
    }
    await this.#writing;
    this.#write();
    await this.#writing;
    await this.#closeHandle();
  }

  /** Begins another file when this one has no room for `length` bytes; false when that must wait. */
  #rotated(length: number): boolean {
    const end = length + STATISTICS_BYTES * this.#interfaces.length;
    if (this.#filePackets === 0 || this.#fileBytes + end <= this.#maxBytes) return true;
    // The end of this file and the beginning of the next need a chunk each.
    if (this.#chunkLimit - this.#chunks + this.#spare.length < 2) return false;
    this.#endFile();
    this.#beginFile();
    return true;
  }

  #beginFile(): void {
    this.#seal();
    this.#file++;
    this.#fileBytes = 0;
    this.#filePackets = 0;
    this.#append(sectionHeader(APPLICATION));
    for (const { block } of this.#interfaces) this.#append(block);
  }

  #endFile(): void {
    for (const [i, { received, lost }] of this.#interfaces.entries()) {
      this.#append(interfaceStatistics(i, this.#timeHigh, this.#timeLow, received, lost));
    }
  }

  /** For blocks that must not be missing and are short; they may go beyond the bound on memory. */
  #append(block: Uint8Array): void {
    if (!this.#open) return;
    const chunk = this.#room(block.length) ?? this.#newChunk();
    chunk.bytes.set(block, chunk.used);
    chunk.used += block.length;
    this.#fileBytes += block.length;
    this.#current = chunk;
    this.#schedule();
  }

  /** The chunk that the next `length` bytes go into; null when all wait for the disk. */
  #room(length: number): Chunk | null {
    const current = this.#current;
    if (current !== null && current.used + length <= CHUNK_BYTES) return current;
    const next = this.#spare.pop() ?? (this.#chunks < this.#chunkLimit ? this.#newChunk() : null);
    if (next === null) return null;
    this.#seal();
    next.used = 0;
    next.file = this.#file;
    this.#current = next;
    return next;
  }

  #newChunk(): Chunk {
    this.#seal();
    this.#chunks++;
    const bytes = new Uint8Array(CHUNK_BYTES);
    return { bytes, view: new DataView(bytes.buffer), used: 0, file: this.#file };
  }

  #seal(): void {
    if (this.#current !== null) this.#queue.push(this.#current);
    this.#current = null;
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
    try {
      for (;;) {
        if (this.#queue.length === 0) this.#seal();
        const first = this.#queue[0];
        if (first === undefined) return;
        if (first.file !== this.#handleFile) await this.#openFile(first.file);
        await this.#writeQueue(first.file);
      }
    } catch (error) {
      await this.#fail(error as NodeJS.ErrnoException);
    }
  }

  async #openFile(file: number): Promise<void> {
    await this.#closeHandle();
    this.#handleFile = file;
    this.#written = 0;
    this.#handle = await open(this.#pathOf(file), 'w');
    const oldest = file - this.#files;
    if (oldest >= 1) await unlink(this.#pathOf(oldest)).catch(() => {});
  }

  /** Writes all that waits for this file in one call, as far as that takes it. */
  async #writeQueue(file: number): Promise<void> {
    const parts: Uint8Array[] = [];
    for (const chunk of this.#queue) {
      if (chunk.file !== file) break;
      parts.push(chunk.bytes.subarray(parts.length === 0 ? this.#partial : 0, chunk.used));
    }
    const { bytesWritten } = await this.#handle!.writev(parts);
    this.#partial += bytesWritten;
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined || this.#partial < first.used || this.#partial === 0) return;
      this.#partial -= first.used;
      this.#written += first.used;
      this.#queue.shift();
      this.#spare.push(first);
    }
  }

  /** Leaves what is in the file readable, and takes no more. */
  async #fail(error: NodeJS.ErrnoException): Promise<void> {
    this.#open = false;
    this.#queue.length = 0;
    this.#spare.length = 0;
    this.#current = null;
    // Without this, the last block would be cut off in the middle. A device cannot be cut.
    await this.#handle?.truncate(this.#written).catch(() => {});
    await this.#closeHandle();
    const path = this.#pathOf(this.#handleFile);
    this.#warn(`the capture to ${path} has ended: ${error.message}`);
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => {});
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
