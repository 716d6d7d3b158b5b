import { CaptureFile, type CaptureFileOptions } from '../link/capture-file.js';
import { APPLICATION } from '../link/capture-sink.js';
import type { ReadPacket } from '../wire/pcap-reader.js';
import {
  CapturedPacket,
  enhancedPacketBytes,
  interfaceDescription,
  sectionHeader,
  writeEnhancedPacket,
} from '../wire/pcapng.js';
import { LinePrinter } from '../wire/print.js';
import { written } from './follow.js';
import type { Terminal } from './io.js';
import { secondsSince1970, type Timestamp, timestampFor } from './timestamp.js';

/** Where `tuntcp capture` puts packets. */
export interface PacketOutput {
  /** It takes no more, and has said why: the disk is full. */
  readonly failed: boolean;
  /** Called when it fails. */
  onFailure: () => void;
  /** Packets that it could not keep. */
  readonly lost: number;
  /** Comes first, and once. */
  begin(iface: { name: string; snaplen: number }): void;
  /** Takes the packet; what it returns settles when there is room for another. */
  packet(packet: ReadPacket): Promise<void> | undefined;
  /** So many are missing here. */
  missing(count: number): void;
  finish(): Promise<void>;
}

export interface LineOptions {
  /** How often `-t` was given. */
  time: number;
  absolute: boolean;
  verbose: boolean;
  json: boolean;
}

/** A line for each packet. */
export class LineOutput implements PacketOutput {
  readonly failed = false;
  readonly lost = 0;
  onFailure: () => void = () => {};
  readonly #to: Terminal;
  readonly #options: LineOptions;
  readonly #printer: LinePrinter;
  readonly #timestamp: Timestamp;

  constructor(to: Terminal, options: LineOptions) {
    this.#to = to;
    this.#options = options;
    this.#printer = new LinePrinter({ absolute: options.absolute });
    this.#timestamp = timestampFor(options.time);
  }

  begin(): void {}

  packet(packet: ReadPacket): Promise<void> | undefined {
    const line = this.#printer.line(packet.bytes);
    let text = this.#timestamp(packet.time) + line;
    if (this.#options.verbose && packet.comment !== null) text += ` (${packet.comment})`;
    if (this.#options.json) text = asJson(packet, line);
    return written(this.#to, `${text}\n`);
  }

  missing(count: number): void {
    const lost = { lost: count };
    this.#to.write(this.#options.json ? `${JSON.stringify(lost)}\n` : `[${count} packets lost]\n`);
  }

  async finish(): Promise<void> {}
}

/** A pcapng file, or several in turn. */
export class FileOutput implements PacketOutput {
  readonly #path: string;
  readonly #options: CaptureFileOptions;
  onFailure: () => void = () => {};
  failed = false;
  readonly #packet = new CapturedPacket();
  #file: CaptureFile | null = null;

  constructor(path: string, options: CaptureFileOptions) {
    this.#path = path;
    const warn = (message: string) => {
      this.failed = true;
      options.warn?.(message);
      this.onFailure();
    };
    this.#options = { ...options, warn };
  }

  get lost(): number {
    return this.#file?.lost ?? 0;
  }

  begin(iface: { name: string; snaplen: number }): void {
    this.#file = new CaptureFile(this.#path, this.#options);
    this.#file.addInterface(iface);
  }

  packet(packet: ReadPacket): undefined {
    fill(this.#packet, packet);
    this.#file?.packet(this.#packet);
  }

  missing(): void {}

  async finish(): Promise<void> {
    await this.#file?.close();
  }
}

/** The same on standard output. */
export class StreamOutput implements PacketOutput {
  readonly failed = false;
  readonly lost = 0;
  onFailure: () => void = () => {};
  readonly #to: Terminal;
  readonly #packet = new CapturedPacket();

  constructor(to: Terminal) {
    this.#to = to;
  }

  begin(iface: { name: string; snaplen: number }): void {
    this.#to.write(Buffer.concat([sectionHeader(APPLICATION), interfaceDescription(iface)]));
  }

  packet(packet: ReadPacket): Promise<void> | undefined {
    fill(this.#packet, packet);
    const bytes = Buffer.allocUnsafe(enhancedPacketBytes(this.#packet));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    writeEnhancedPacket(bytes, view, 0, this.#packet);
    return written(this.#to, bytes);
  }

  missing(): void {}

  async finish(): Promise<void> {}
}

function fill(packet: CapturedPacket, from: ReadPacket): void {
  packet.timeHigh = Number(from.time >> 32n);
  packet.timeLow = Number(from.time & 0xffff_ffffn);
  packet.direction = from.direction;
  packet.comment = from.comment === null ? null : Buffer.from(from.comment);
  packet.bytes = from.bytes;
  packet.offset = 0;
  packet.length = from.bytes.length;
  packet.originalLength = from.originalLength;
}

const DIRECTIONS = [null, 'in', 'out', null];

function asJson(packet: ReadPacket, line: string): string {
  return JSON.stringify({
    time: secondsSince1970(packet.time),
    direction: DIRECTIONS[packet.direction],
    length: packet.originalLength,
    line,
    comment: packet.comment,
  });
}
