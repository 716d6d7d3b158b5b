import { CaptureRing } from '../../../src/link/capture-ring.js';
import type { Host } from '../../../src/stack/host.js';
import type { Recorder } from '../../../src/stack/recorder.js';
import { CapturedPacket, DEFAULT_SNAPLEN, INBOUND, OUTBOUND } from '../../../src/wire/pcapng.js';
import { laddersOf, recorderOf } from '../../support/ladders.js';
import { completeTcpChecksum } from '../../support/packet.js';
import type { Exhibit } from '../../support/show-failure.js';
import { formatCase } from './case-text.js';
import { runCase } from './run-case.js';
import type { Case } from './step.js';

const RING_BYTES = 4 * 1024 * 1024;

/** A case that is done once more, to be shown: its ladders, its packets and its text. */
export class Exhibited implements Exhibit {
  readonly title = 'a fuzzed conversation between a host (10.0.0.2) and peers (10.0.0.1, 10.0.1.1)';
  readonly problem: string | null;
  readonly lines: readonly string[];
  readonly #ring = new CaptureRing(RING_BYTES);
  readonly #packet = new CapturedPacket();
  #recorder: Recorder | null = null;

  constructor(one: Case) {
    this.#ring.addInterface({ name: 'host', snaplen: DEFAULT_SNAPLEN });
    this.lines = ['# to be given to scripts/fuzz --replay', ...formatCase(one).split('\n')];
    this.problem = runCase(one, undefined, {
      begin: (host: Host) => {
        this.#recorder = recorderOf(host);
      },
      packet: (bytes, fromHost, now) => this.#keep(bytes, fromHost, now),
    }).problem;
  }

  ladders(): string[] {
    return this.#recorder === null ? [] : laddersOf('the host', this.#recorder);
  }

  capture(): Uint8Array {
    return this.#ring.file();
  }

  #keep(bytes: Uint8Array, fromHost: boolean, now: number): void {
    const packet = this.#packet;
    packet.direction = fromHost ? OUTBOUND : INBOUND;
    packet.bytes = bytes;
    if (fromHost) {
      // With offload the kernel would complete it.
      packet.bytes = bytes.slice();
      completeTcpChecksum(packet.bytes);
    }
    packet.length = packet.originalLength = bytes.length;
    const time = BigInt(Math.floor(now * 1e6));
    packet.timeHigh = Number(time >> 32n);
    packet.timeLow = Number(time & 0xffff_ffffn);
    this.#ring.packet(packet);
  }
}
