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

describe('an address that does not answer', () => {
  it('is ETIMEDOUT after the time of the configuration', async () => {
    const runtime = new VirtualRuntime(3);
    const [link] = memoryPair({ runtime, onPacket: () => [] });
    const stack = new Stack({ runtime, link, address: '10.0.0.1/24', tcp: { synTimeout: 3000 } });
    const log: string[] = [];
    const client = stack.net.connect(80, '10.0.0.9');
    client.on('error', (error) => log.push(`${Math.round(runtime.now())} ${error.message}`));
    client.on('close', (hadError: boolean) => log.push(`close ${hadError}`));
    await runtime.runAsync(() => log.length === 2);
    expect(log).toEqual(['3000 connect ETIMEDOUT 10.0.0.9:80', 'close true']);
    stack.close();
  });

  it('gives way to the next one of its name', async () => {
    cabled = new Cabled();
    const { runtime } = cabled;
    cabled.b.net.createServer((socket) => socket.end()).listen(80);
    const addresses = ['10.0.0.9', '10.0.0.8', '10.0.0.2'];
    const client = cabled.a.net.connect({
      port: 80,
      host: 'name.test',
      autoSelectFamilyAttemptTimeout: 100,
      lookup: ((_host: string, _options: object, found: (...args: unknown[]) => void) =>
        found(
          null,
          addresses.map((address) => ({ address, family: 4 })),
        )) as never,
    });
    const log: string[] = [];
    const start = runtime.now();
    const events =
      'connectionAttempt connectionAttemptTimeout connectionAttemptFailed connect close';
    for (const event of events.split(' ')) {
      client.on(event, (address) =>
        log.push(`${Math.round(runtime.now() - start)} ${event} ${address}`),
      );
    }
    client.resume();
    await runtime.runAsync(() => log.at(-1)?.includes('close') ?? false);
    expect(log).toEqual([
      '100 connectionAttemptTimeout 10.0.0.9',
      '100 connectionAttempt 10.0.0.8',
      '200 connectionAttemptTimeout 10.0.0.8',
      '200 connectionAttempt 10.0.0.2',
      '220 connect undefined',
      expect.stringContaining('close false'),
    ]);
    // What was given up leaves nothing behind.
    expect(cabled.a.connections().filter(({ state }) => state === 'SYN_SENT')).toEqual([]);
  });
});

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

describe('the congestion control of a socket', () => {
  it('is chosen before or after it connects, for that socket alone', async () => {
    cabled = new Cabled();
    const { client, peer } = await cabled.connect();
    expect(client.info()?.congestionControl).toBe('cubic');
    client.setCongestionControl('bbr');
    expect(client.info()?.congestionControl).toBe('bbr');
    expect(peer.info()?.congestionControl).toBe('cubic');
    const { Socket } = cabled.a.net;
    const other = new Socket({ congestionControl: 'dctcp' });
    cabled.b.net.createServer().listen(81);
    other.connect(81, '10.0.0.2');
    await cabled.runtime.runAsync(() => !other.pending);
    // Its SYN has asked for ECN, which it needs.
    expect(other.info()).toMatchObject({ congestionControl: 'dctcp', ecn: true });
    expect(() => new Socket({ congestionControl: 'hybla' })).toThrowError(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});
