import { afterEach, describe, expect, it } from 'vitest';
import { memoryPair } from '../../../src/link/memory.js';
import module, * as named from '../../../src/net/module.js';
import type { Socket } from '../../../src/net/socket.js';
import { Stack } from '../../../src/net/stack.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { SilentTrace } from '../../../src/tcp/trace.js';
import { formatFlags } from '../../../src/wire/print.js';
import type { Segment } from '../../../src/wire/segment.js';

/** Two stacks with a cable on virtual time, which can be cut. */
class Cabled {
  readonly runtime = new VirtualRuntime(7);
  cut = false;
  readonly a: Stack;
  readonly b: Stack;
  readonly log: string[] = [];

  constructor() {
    const { runtime } = this;
    const onPacket = (): number[] => (this.cut ? [] : [0]);
    const [left, right] = memoryPair({ runtime, delay: 10, mtu: 1500, onPacket });
    this.a = new Stack({ runtime, link: left, address: '10.0.0.1/24' });
    this.b = new Stack({ runtime, link: right, address: '10.0.0.2/24' });
  }

  async connect(): Promise<{ client: Socket; peer: Socket }> {
    let peer: Socket | undefined;
    const server = this.b.net.createServer((socket) => {
      peer = socket;
    });
    server.listen(80);
    const client = this.a.net.connect(80, '10.0.0.2');
    for (const event of ['connect', 'end', 'timeout', 'close']) {
      client.on(event, () => this.log.push(`${event} ${Math.round(this.runtime.now())}`));
    }
    client.on('error', (error) => this.log.push(error.message));
    await this.runtime.runAsync(() => peer !== undefined);
    server.close();
    return { client, peer: peer! };
  }

  close(): void {
    this.a.close();
    this.b.close();
  }
}

let cabled: Cabled;
afterEach(() => cabled?.close());

describe('two stacks on virtual time', () => {
  it('close with three segments: our FIN carries the ACK of theirs', async () => {
    cabled = new Cabled();
    const { client, peer } = await cabled.connect();
    peer.resume();
    client.resume();
    const flags: string[] = [];
    const note = (side: string) =>
      Object.assign(new SilentTrace(), {
        sent: (segment: Segment) => flags.push(`${side} ${formatFlags(segment.flags)}`),
      });
    cabled.a.host.addTrace(note('a'));
    cabled.b.host.addTrace(note('b'));
    client.end();
    await cabled.runtime.runAsync(() => peer.closed && client.closed);
    await cabled.runtime.runAsync(() => cabled.runtime.held === 0, cabled.runtime.now() + 1_000);
    expect(flags).toEqual(['a F.', 'b F.', 'a .']);
  });

  it('carry bytes, and end in order', async () => {
    cabled = new Cabled();
    const { client, peer } = await cabled.connect();
    expect(peer.remoteAddress).toBe('10.0.0.1');
    expect(peer.remotePort).toBe(client.localPort);
    const parts: Buffer[] = [];
    peer.on('data', (part: Buffer) => parts.push(part));
    const sent = Buffer.alloc(5_000_000, 'in order');
    client.end(sent);
    client.resume();
    await cabled.runtime.runAsync(() => peer.closed && cabled.log.length === 3);
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
    expect(cabled.log[0]).toBe('connect 20');
    expect(cabled.log.map((line) => line.split(' ')[0])).toEqual(['connect', 'end', 'close']);
  });

  it('time out at the virtual minute', async () => {
    cabled = new Cabled();
    const { client } = await cabled.connect();
    client.setTimeout(60_000);
    await cabled.runtime.runAsync(() => cabled.log.length === 2);
    expect(cabled.log).toEqual(['connect 20', 'timeout 60030']);
  });

  it('report ETIMEDOUT when the cable is cut for good', async () => {
    cabled = new Cabled();
    const { client } = await cabled.connect();
    cabled.cut = true;
    client.write('into the void');
    await cabled.runtime.runAsync(() => cabled.log.length > 1);
    expect(cabled.log.slice(1, 2)).toEqual(['read ETIMEDOUT']);
  });

  it('report ETIMEDOUT with the remote end when nobody answers', async () => {
    cabled = new Cabled();
    cabled.cut = true;
    const client = cabled.a.net.connect(80, '10.0.0.2');
    client.on('error', (error) => cabled.log.push(error.message));
    await cabled.runtime.runAsync(() => cabled.log.length > 0);
    expect(cabled.log).toEqual(['connect ETIMEDOUT 10.0.0.2:80']);
  });

  it('hold the process while sockets are open, and let go', async () => {
    cabled = new Cabled();
    const { client, peer } = await cabled.connect();
    expect(cabled.runtime.held).toBe(2);
    peer.resume();
    client.end();
    client.resume();
    await cabled.runtime.runAsync(() => client.closed && peer.closed);
    // The last FIN still has to be acknowledged.
    await cabled.runtime.runAsync(() => cabled.runtime.held === 0, cabled.runtime.now() + 1_000);
  });

  it('break connections when the host is closed', async () => {
    cabled = new Cabled();
    const { peer } = await cabled.connect();
    const errors: string[] = [];
    peer.on('error', (error) => errors.push(error.message));
    cabled.a.close();
    await cabled.runtime.runAsync(() => errors.length > 0);
    expect(errors).toEqual(['read ECONNRESET']);
    // Our own socket is told as well, and no error, since it is what we wanted.
    await cabled.runtime.runAsync(() => cabled.log.some((line) => line.startsWith('close')));
    expect(cabled.log.map((line) => line.split(' ')[0])).toEqual(['connect', 'close']);
  });
});

describe('tuntcp/net', () => {
  it('has the exports of node:net, by name and as the default', async () => {
    const node = await import('node:net');
    // Node's own business, and what only later versions have.
    const inner = /^_|^BoundSocket$/;
    const missing = Object.keys(node.default).filter((name) => !(name in named));
    expect(missing.filter((name) => !inner.test(name))).toEqual([]);
    expect(module.Socket).toBe(named.Socket);
    expect(new named.Socket()).toBeInstanceOf(named.Stream);
  });
});
