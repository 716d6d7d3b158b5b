import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { addon } from './native.js';

/** Places in a file and in memory that go to the disk directly are multiples of this many bytes. */
const PAGE_BYTES = 4_096;
/** From so much waiting on, copying it into the cache of the kernel costs more than the disk does. */
const DIRECT_BYTES = 512 * 1024;
const WRITE_BYTES = 2 * 1024 * 1024;
/** What is cut off a file that cannot be written to its end is less than this. */
const MARK_BYTES = 64 * 1024;

interface File {
  readonly path: string;
  /** Path of a file that is deleted when this one is begun. */
  readonly obsolete: string | null;
  /** Position of its first byte. */
  readonly start: number;
  /** Position behind its last byte, when that is known. */
  end: number | null;
}

/**
 * Bytes that wait for the disk, in memory of fixed size, in whole blocks that are contiguous there, for
 * several files one after the other. Large amounts go around the cache of the kernel (`O_DIRECT`) where the file
 * system has that: copying them there would take as long as receiving them did.
 *
 * Positions count all bytes since the beginning. In the ring, a byte lies at its position modulo {@link #capacity}, and
 * a file begins at a page of it; what a block has beyond the end is copied to the front.
 */
export class WriteBehind {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #capacity: number;
  readonly #files: File[] = [];
  /** Ends of whole blocks that are not in the file yet, oldest first. */
  readonly #marks: number[] = [];
  /** The last of them that there was, or the beginning of the file. */
  #marked = 0;
  #head = 0;
  #tail = 0;
  /** Position up to which the file has nothing but whole blocks. */
  #whole = 0;
  #current: File | null = null;
  #handle: FileHandle | null = null;
  /** The same file without the kernel's cache; null where there is no such thing. */
  #direct: FileHandle | null = null;
  /** A pipe or a terminal has no positions. */
  #seekable = false;

  /**
   * @param memory bytes of all its memory
   * @param blockBytes most that one block has
   */
  constructor(memory: number, blockBytes: number) {
    this.#capacity = floorToPage(memory - blockBytes);
    this.bytes = aligned(this.#capacity + blockBytes);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  /** Bytes for which there is room; a new file may take one {@link PAGE_BYTES} of them. */
  get free(): number {
    return this.#capacity - (this.#head - this.#tail);
  }

  /** Index in {@link bytes} where the next block goes, if {@link free} has room for it. */
  get index(): number {
    return this.#head % this.#capacity;
  }

  /** A whole block of `length` bytes is at {@link index} now. */
  commit(length: number): void {
    const end = this.index + length;
    if (end > this.#capacity) this.bytes.copyWithin(0, this.#capacity, end);
    this.#head += length;
    const first = this.#marked === this.#files.at(-1)!.start;
    if (!first && this.#head - this.#marked < MARK_BYTES) return;
    this.#marked = this.#head;
    this.#marks.push(this.#head);
  }

  /** The blocks that follow go to a new file at `path`, in place of that at `obsolete`. */
  beginFile(path: string, obsolete: string | null): void {
    const last = this.#files.at(-1);
    if (last !== undefined) last.end = this.#head;
    this.#head += (PAGE_BYTES - (this.#head % PAGE_BYTES)) % PAGE_BYTES;
    this.#marked = this.#head;
    this.#files.push({ path, obsolete, start: this.#head, end: null });
  }

  /** Path of the file that is being written. */
  get path(): string {
    return (this.#current ?? this.#files[0])!.path;
  }

  /** Writes all that waits. Rejects when a file cannot be opened or written. */
  async drain(): Promise<void> {
    for (;;) {
      const file = this.#files[0]!;
      if (file !== this.#current) await this.#open(file);
      const waiting = (file.end ?? this.#head) - this.#tail;
      if (waiting > 0) await this.#write(file, waiting);
      else if (file.end === null) return;
      else this.#files.shift();
    }
  }

  /** Leaves whole blocks in the file, and nothing more, after {@link drain} was rejected. */
  async abandon(): Promise<void> {
    const length = this.#whole - (this.#current?.start ?? 0);
    if (this.#seekable) await this.#handle?.truncate(length).catch(() => {});
    await this.close();
  }

  async close(): Promise<void> {
    const handles = [this.#handle, this.#direct];
    this.#handle = this.#direct = null;
    for (const handle of handles) await handle?.close().catch(() => {});
  }

  async #open(file: File): Promise<void> {
    await this.close();
    this.#current = file;
    this.#tail = this.#whole = file.start;
    this.#handle = await open(file.path, 'w');
    if (file.obsolete !== null) await unlink(file.obsolete).catch(() => {});
    this.#seekable = (await this.#handle.stat()).isFile();
    if (this.#seekable && constants.O_DIRECT !== undefined) {
      const flags = constants.O_WRONLY | constants.O_DIRECT;
      this.#direct = await open(file.path, flags).catch(() => null);
    }
  }

  async #write(file: File, waiting: number): Promise<void> {
    const index = this.#tail % this.#capacity;
    let length = Math.min(waiting, this.#capacity - index, WRITE_BYTES);
    let handle = this.#handle!;
    if (this.#direct !== null && length >= DIRECT_BYTES) {
      const astray = index % PAGE_BYTES;
      if (astray === 0) handle = this.#direct;
      length = astray === 0 ? floorToPage(length) : PAGE_BYTES - astray;
    }
    const position = this.#seekable ? this.#tail - file.start : null;
    try {
      const { bytesWritten } = await handle.write(this.bytes, index, length, position);
      this.#tail += bytesWritten;
    } catch (error) {
      if (handle !== this.#direct || (error as NodeJS.ErrnoException).code !== 'EINVAL')
        throw error;
      // Some file systems open what they then do not write.
      this.#direct = null;
      await handle.close();
    }
    while (this.#marks.length > 0 && this.#marks[0]! <= this.#tail)
      this.#whole = this.#marks.shift()!;
    if (this.#tail === this.#head) this.#whole = this.#tail;
  }
}

function floorToPage(bytes: number): number {
  return bytes - (bytes % PAGE_BYTES);
}

/** Where there is no addon, the file system refuses what is not aligned. */
function aligned(length: number): Uint8Array {
  try {
    return addon().pageAligned(length);
  } catch {
    return new Uint8Array(length);
  }
}
