import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type RxBatch, TxBatch } from '../../../src/base/batch.js';
import { spawnInNamespace } from '../../../src/link/namespace.js';
import type { TunLink } from '../../../src/link/tun.js';
import { Drop } from '../../../src/wire/drop-reason.js';
import { formatAddress, Ipv4Header, PROTOCOL_TCP, parseIpv4 } from '../../../src/wire/ipv4.js';
import { Segment } from '../../../src/wire/segment.js';
import { parseTcp } from '../../../src/wire/tcp.js';
import { Answer, noteAnswer } from './answers.js';
import { type Conversation, SETTLE, type Taken } from './conversation.js';
import type { Order, Report } from './linux-user.js';
import { PacketBuilder } from './packet-builder.js';
import type { PeerEnd } from './peer.js';
import type { Step } from './step.js';

interface Side {
  peer: PeerEnd;
  answer: Answer;
  localPort: number;
}

/** Linux's TCP in a network namespace of its own, whose every peer is on this side of a TUN device. */
export class LinuxSide {
  /** Settings that the kernel did not let us make. */
  denied: readonly string[] = [];
  readonly #sides = new Map<number, Side>();
  readonly #header = new Ipv4Header();
  readonly #segment = new Segment();
  readonly #builder = new PacketBuilder();
  readonly #batch = new TxBatch();
  readonly #reports: AsyncIterator<string>;

  private constructor(
    private readonly link: TunLink,
    private readonly child: ChildProcess,
  ) {
    this.#reports = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    link.open({
      receive: (batch) => this.#receive(batch),
      writable: () => {},
      closed: () => {},
    });
  }

  static async start(): Promise<LinuxSide> {
    const { link, child } = await spawnInNamespace({
      command: process.execPath,
      args: [fileURLToPath(new URL('./linux-user.js', import.meta.url))],
      stdio: ['pipe', 'pipe', 'inherit'],
      hostAddress: '10.0.0.2/24',
      offload: false,
    });
    const side = new LinuxSide(link, child);
    const report = await side.#report();
    if ('denied' in report) side.denied = report.denied;
    return side;
  }

  /** Takes the steps of all conversations, each at the same time as the others'. */
  async play(
    conversations: readonly Conversation[],
    steps: readonly (readonly Taken[])[],
  ): Promise<Answer[][]> {
    const all: Answer[][] = conversations.map(() => []);
    this.#sides.clear();
    const sides = conversations.map((one) => {
      const side = { peer: one.newPeer(), answer: new Answer(), localPort: one.localPort };
      this.#sides.set(one.address, side);
      return side;
    });
    const most = Math.max(...steps.map((each) => each.length));
    for (let at = 0; at < most; at++) {
      for (const [i, side] of sides.entries()) {
        const taken = steps[i]![at];
        if (taken === undefined) continue;
        side.answer = side.answer.follow();
        all[i]!.push(side.answer);
        this.#take(side, taken.step);
      }
      this.#flush();
      await this.#sync();
      await new Promise((resolve) => setTimeout(resolve, SETTLE));
      await this.#sync();
    }
    this.#order({ peer: '', port: 0, what: 'all', n: 0 });
    await this.#report();
    return all;
  }

  /** Until the users have done what they were told, and read what has arrived. */
  async #sync(): Promise<void> {
    this.#order({ peer: '', port: 0, what: 'sync', n: 0 });
    await this.#report();
  }

  #take(side: Side, step: Step): void {
    const { peer } = side;
    const whom = { peer: formatAddress(peer.addr), port: peer.port };
    if (step.op === 'open') {
      if (peer.hostPort === side.localPort) return;
      peer.hostPort = side.localPort;
      this.#order({ ...whom, what: 'open', n: side.localPort });
    } else if (step.op === 'call') {
      this.#order({ ...whom, what: step.verb as Order['what'], n: step.n });
    } else if (step.op === 'tcp') {
      const { built, bytes } = this.#builder;
      this.#builder.tcp(step, peer, performance.now());
      for (let copy = built.twice ? 2 : 1; copy > 0; copy--) this.#put(bytes, built.length);
    }
  }

  #put(bytes: Uint8Array, length: number): void {
    // The device takes nothing that is no IPv4.
    if (length < 20 || bytes[0]! >> 4 !== 4) return;
    const size = this.link.headroom + length;
    if (!this.#batch.fits(size)) this.#flush();
    const at = this.#batch.begin(size);
    this.#batch.bytes.set(bytes.subarray(0, length), at + this.link.headroom);
  }

  #flush(): void {
    if (this.#batch.count > 0) this.link.send(this.#batch);
    this.#batch.reset();
  }

  #receive(batch: RxBatch): void {
    const { bytes, view } = batch;
    for (let i = 0; i < batch.count; i++) {
      const at = batch.offset[i]!;
      const header = this.#header;
      if (parseIpv4(bytes, view, at, batch.length[i]!, header) !== Drop.NONE) continue;
      const side = this.#sides.get(header.dstAddr);
      if (side === undefined || header.protocol !== PROTOCOL_TCP) continue;
      const tcp = at + header.headerLength;
      const length = header.totalLength - header.headerLength;
      if (parseTcp(bytes, view, tcp, length, this.#segment) !== Drop.NONE) continue;
      noteAnswer(side.answer, side.peer, this.#segment);
    }
  }

  #order(order: Order): void {
    this.child.stdin!.write(`${JSON.stringify(order)}\n`);
  }

  async #report(): Promise<Report> {
    const { value, done } = await this.#reports.next();
    if (done) throw new Error('the process in the namespace has ended');
    return JSON.parse(value) as Report;
  }

  stop(): void {
    this.child.stdin!.end();
    this.link.close();
  }
}
