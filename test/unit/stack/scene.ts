import { captureLink } from '../../../src/link/capture.js';
import { CaptureRing } from '../../../src/link/capture-ring.js';
import { memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import type { Conversation } from '../../../src/stack/conversation.js';
import { Host } from '../../../src/stack/host.js';
import { Recorder } from '../../../src/stack/recorder.js';
import type { TcpConfig } from '../../../src/tcp/config.js';
import { readCapture } from '../../../src/wire/pcap-reader.js';
import { User } from '../../support/user.js';

const ENDS = { remoteAddress: '10.0.0.2', remotePort: 80, localPort: 40_000 };

/** Two hosts 5 ms apart, 10.0.0.1 and 10.0.0.2, both recorded, the link of the second captured. */
export class Scene {
  readonly runtime = new VirtualRuntime(1);
  readonly client = new User();
  readonly server = new User();
  readonly a: Host;
  readonly b: Host;
  readonly #recorders = { a: new Recorder({ segments: 256 }), b: new Recorder({ segments: 256 }) };
  readonly #ring = new CaptureRing(1 << 22);
  #packets = 0;

  /** @param lost numbers of packets that are lost, the first is 1; of those that come twice */
  constructor(
    lost: readonly number[] = [],
    doubled: readonly number[] = [],
    changes: Partial<TcpConfig> = {},
  ) {
    const { runtime } = this;
    const [linkA, linkB] = memoryPair({
      runtime,
      delay: 5,
      onPacket: () => {
        const packet = ++this.#packets;
        if (lost.includes(packet)) return [];
        return doubled.includes(packet) ? [0, 0] : 0;
      },
    });
    const tcp = { windowScale: false, timestamps: false, ...changes };
    const { a, b } = this.#recorders;
    this.a = new Host({ runtime, link: linkA, address: '10.0.0.1/24', trace: a, tcp });
    const captured = captureLink(linkB, this.#ring, { runtime });
    this.b = new Host({ runtime, link: captured, address: '10.0.0.2/24', trace: b, tcp });
  }

  listen(): void {
    this.b.listen({ port: 80 }, (connection) => {
      this.server.connection = connection;
      return this.server;
    });
  }

  connect(): void {
    this.client.connection = this.a.connect(ENDS, this.client);
  }

  connectBack(): void {
    const ends = { remoteAddress: '10.0.0.1', remotePort: 40_000, localPort: 80 };
    this.server.connection = this.b.connect(ends, this.server);
  }

  /** Listens, connects, and lets the handshake pass: 20 ms. */
  open(): void {
    this.listen();
    this.connect();
    this.run(20);
  }

  run(ms: number): void {
    this.runtime.run(this.runtime.now() + ms);
  }

  get atClient(): Conversation {
    return this.#recorders.a.conversations()[0]!;
  }

  get atServer(): Conversation {
    return this.#recorders.b.conversations()[0]!;
  }

  capture(): Uint8Array {
    return this.#ring.file();
  }

  packets() {
    return readCapture(this.capture());
  }
}
