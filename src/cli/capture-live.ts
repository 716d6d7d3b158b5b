import { APPLICATION } from '../link/capture-sink.js';
import { readCapture } from '../wire/pcap-reader.js';
import { interfaceDescription, sectionHeader } from '../wire/pcapng.js';
import type { PacketOutput } from './capture-output.js';
import { UsageError } from './command.js';
import type { Heard } from './control/client-stream.js';
import type { CaptureItem, CaptureRequest } from './control/protocol.js';
import { connectToStack } from './control/stacks.js';
import { follow } from './follow.js';
import type { Io } from './io.js';

/** Captures from a running stack until that is ended. Returns the exit code. */
export async function captureLive(
  io: Io,
  device: string | undefined,
  request: CaptureRequest,
  output: PacketOutput,
): Promise<number> {
  const client = await connectToStack(io.env, device);
  const stream = client.stream('capture', request);
  const live = new LiveCapture(io, output);
  output.onFailure = () => stream.stop();
  let asked = false;
  try {
    asked = await follow(io, stream, (heard) => live.hear(heard));
  } catch (error) {
    throw asUsageError(error);
  } finally {
    client.close();
    await output.finish();
    live.report(stream.ended?.lost);
  }
  if (output.failed) return 1;
  if (!asked && stream.ended?.done.captured !== request.count) {
    throw new Error('the stack has ended');
  }
  return 0;
}

function asUsageError(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_INVALID_FILTER' ? new UsageError(`FILTER: ${message}`) : error;
}

class LiveCapture {
  readonly #io: Io;
  readonly #output: PacketOutput;
  /** What a file of the packets begins with; null until the stack has said what it captures. */
  #head: Uint8Array | null = null;
  #packets = 0;
  #missing = 0;

  constructor(io: Io, output: PacketOutput) {
    this.#io = io;
    this.#output = output;
  }

  hear(heard: Heard<'capture'>): Promise<void> | undefined {
    if ('item' in heard) return this.#take(heard.item);
    this.#missing += heard.lost;
    this.#output.missing(heard.lost);
    return undefined;
  }

  /** @param lost what the stack says in the end, if it does */
  report(lost = this.#missing): void {
    if (this.#head === null || this.#output.failed) return;
    const packets = this.#packets - this.#output.lost;
    const all = lost + this.#output.lost;
    this.#io.stderr.write(`${packets} packets captured, ${all} lost\n`);
  }

  #take(item: CaptureItem): Promise<void> | undefined {
    if (typeof item === 'string') return this.#packetsOf(Buffer.from(item, 'base64'));
    const iface = { name: item.device, snaplen: item.snaplen };
    this.#head = Buffer.concat([sectionHeader(APPLICATION), interfaceDescription(iface)]);
    this.#output.begin(iface);
    this.#io.stderr.write(`listening on ${item.device}, snapshot length ${item.snaplen} bytes\n`);
    return undefined;
  }

  async #packetsOf(blocks: Uint8Array): Promise<void> {
    for (const packet of readCapture(Buffer.concat([this.#head!, blocks]))) {
      if (this.#output.failed) return;
      this.#packets++;
      const room = this.#output.packet(packet);
      if (room !== undefined) await room;
    }
  }
}
