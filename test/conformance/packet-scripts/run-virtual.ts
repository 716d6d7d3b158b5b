import { type RxBatch, TxBatch } from '../../../src/base/batch.js';
import { captureLink } from '../../../src/link/capture.js';
import { CaptureRing } from '../../../src/link/capture-ring.js';
import { type MemoryLink, memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { Host } from '../../../src/stack/host.js';
import type { Recorder } from '../../../src/stack/recorder.js';
import { parseAddress } from '../../../src/wire/ipv4.js';
import { checkHost } from '../../support/invariants.js';
import { laddersOf, recorderOf } from '../../support/ladders.js';
import { type Packet, readTcp } from '../../support/packet.js';
import { StateTrace } from '../../support/state-trace.js';
import type { Ends } from './flow.js';
import { mtuOf, oursFor } from './parameters.js';
import { type Failure, play } from './play.js';
import type { CallLine, Script } from './script.js';
import type { Result, Subject } from './subject.js';
import { VirtualSockets } from './virtual-sockets.js';

const PEER_ADDRESS = '10.0.0.1';
const HOST_ADDRESS = '10.0.0.2';
const HOST_PORT = 8080;
/** Of the first connection; the others follow. */
const PEER_PORT = 5000;
const RING_BYTES = 256 * 1024;
/** Timers have a grain of a millisecond. */
const TOLERANCE_MS = 2;
const HOUR_MS = 3_600_000;

/** A change of state, and what it was for. */
export interface Transition {
  readonly from: string;
  readonly to: string;
  readonly cause: string;
}

/** How a script went. */
export interface Outcome {
  readonly failure: Failure | null;
  /** What passed, in pcapng. */
  readonly capture: Uint8Array;
}

/** What the host did at the event of a script, and after it. */
export interface Reaction {
  readonly sent: readonly Packet[];
  readonly transitions: readonly Transition[];
}

/** Plays a script to our host, in this process and on virtual time. */
export async function runVirtual(
  script: Script,
): Promise<Outcome & { transitions: readonly Transition[]; reaction: Reaction }> {
  const subject = new VirtualSubject(script);
  const failure = await play(script, 'ours', subject);
  const { transitions, reaction } = subject;
  return { failure, capture: subject.capture(), transitions, reaction };
}

/** One host on virtual time, on a cable that takes no time. */
class VirtualSubject implements Subject {
  readonly inbox: Packet[] = [];
  readonly early = TOLERANCE_MS;
  readonly patience = HOUR_MS;
  readonly linger = 0;
  readonly transitions: Transition[] = [];
  readonly #sent: Packet[] = [];
  #before = { sent: 0, transitions: 0 };
  readonly #runtime = new VirtualRuntime(1);
  readonly #ring = new CaptureRing(RING_BYTES);
  readonly #batch = new TxBatch();
  readonly #host: Host;
  readonly #link: MemoryLink;
  readonly #recorder: Recorder;
  readonly #sockets: VirtualSockets;

  constructor(script: Script) {
    const runtime = this.#runtime;
    const [hostLink, peerLink] = memoryPair({ runtime, mtu: mtuOf(script) });
    this.#link = peerLink;
    this.#host = new Host({
      runtime,
      link: captureLink(hostLink, this.#ring, { runtime, epoch: 0 }),
      address: `${HOST_ADDRESS}/24`,
      tcp: oursFor(script),
      trace: new StateTrace((from, to, cause) => this.transitions.push({ from, to, cause })),
    });
    const receive = (batch: RxBatch): void => this.#receive(batch);
    peerLink.open({ receive, writable: () => {}, closed: () => {} });
    this.#recorder = recorderOf(this.#host);
    const peer = { address: PEER_ADDRESS, port: (flow: number) => PEER_PORT + flow - 1 };
    this.#sockets = new VirtualSockets(this.#host, HOST_PORT, peer);
  }

  now(): number {
    return this.#runtime.now();
  }

  begin(): void {
    this.#before = { sent: this.#sent.length, transitions: this.transitions.length };
  }

  get reaction(): Reaction {
    const { sent, transitions } = this.#before;
    return { sent: this.#sent.slice(sent), transitions: this.transitions.slice(transitions) };
  }

  inject(bytes: Uint8Array): void {
    const at = this.#batch.begin(bytes.length);
    this.#batch.bytes.set(bytes, at);
    this.#link.send(this.#batch);
    this.#batch.reset();
    this.#settle();
  }

  async wait(until: number): Promise<void> {
    if (this.inbox.length > 0) return;
    const came = this.#runtime.runUntil(() => this.inbox.length > 0, until);
    if (!came) this.#runtime.run(until);
    checkHost(this.#host);
  }

  async sleep(until: number): Promise<void> {
    this.#runtime.run(until);
  }

  async call(call: CallLine): Promise<Result> {
    const result = this.#sockets.call(call);
    this.#settle();
    return result;
  }

  ends(flow: number): Ends {
    return {
      peerAddr: parseAddress(PEER_ADDRESS)!,
      hostAddr: parseAddress(HOST_ADDRESS)!,
      peerPort: PEER_PORT + flow - 1,
      hostPort: HOST_PORT,
    };
  }

  late(): number {
    return TOLERANCE_MS;
  }

  ladders(): string[] {
    return laddersOf('our host', this.#recorder);
  }

  capture(): Uint8Array {
    return this.#ring.file();
  }

  async close(): Promise<void> {}

  #settle(): void {
    this.#runtime.run(this.#runtime.now());
    checkHost(this.#host);
  }

  #receive(batch: RxBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const from = batch.offset[i]!;
      const bytes = batch.bytes.subarray(from, from + batch.length[i]!);
      const packet = readTcp(bytes, this.#runtime.now());
      if (packet === null) continue;
      this.inbox.push(packet);
      this.#sent.push(packet);
    }
  }
}
