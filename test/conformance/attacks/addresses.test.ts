import { describe, expect, test } from 'vitest';
import { TxBatch } from '../../../src/base/batch.js';
import { loopbackLink, memoryPair } from '../../../src/link/memory.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import { Host } from '../../../src/stack/host.js';
import { parseAddress } from '../../../src/wire/ipv4.js';
import { ADDRESS_A, ADDRESS_B } from '../../support/conversation.js';
import { dropsOf } from '../../support/drops.js';
import { writeSegment } from '../../support/packet.js';
import { scripted } from '../../support/peer.js';
import { User } from '../../support/user.js';

const MARTIANS = [
  '0.0.0.0',
  '0.1.2.3',
  '127.0.0.1',
  '127.255.255.254',
  '224.0.0.1',
  '239.1.2.3',
  '240.0.0.1',
  '255.255.255.255',
  // The host's own address, and the broadcast of its network.
  '10.0.0.2',
  '10.0.0.255',
];

function synFrom(source: string, srcPort = 5_000, dstPort = 80): Uint8Array {
  return writeSegment({
    srcAddr: parseAddress(source)!,
    dstAddr: ADDRESS_B,
    srcPort,
    dstPort,
    flags: 'S',
    seq: 1,
  });
}

describe('addresses that nobody has (RFC 1122 §3.2.1.3)', () => {
  for (const source of MARTIANS) {
    // MUST-63
    scripted(`a SYN from ${source} is ignored`, {}, (p) => {
      p.listen();
      p.sendRaw(synFrom(source));
      p.expectNothing(1_000);
      expect(p.host.connectionCount).toBe(0);
      expect(dropsOf(p.host)).toEqual({ ipBadSource: 1 });
    });
  }

  for (const destination of ['10.0.0.255', '255.255.255.255', '224.0.0.1', '10.0.0.3']) {
    // MUST-57
    scripted(`a SYN to ${destination} is ignored`, {}, (p) => {
      p.listen();
      const syn = synFrom('10.0.0.1');
      p.sendRaw(
        writeSegment({
          srcAddr: ADDRESS_A,
          dstAddr: parseAddress(destination)!,
          srcPort: 5_000,
          dstPort: 80,
          flags: 'S',
          seq: 1,
        }),
      );
      p.expectNothing(1_000);
      expect(dropsOf(p.host)).toEqual({ ipNotOurs: 1 });
      p.sendRaw(syn);
      p.expect('S.');
    });
  }

  // MUST-46
  scripted('nobody connects to all of our network', {}, (p) => {
    expect(() =>
      p.host.connect({ remoteAddress: '10.0.0.255', remotePort: 80 }, new User()),
    ).toThrowError();
    p.expectNothing(0);
  });

  for (const [source, destination] of [
    [0, 80],
    [5_000, 0],
    [0, 0],
  ] as const) {
    scripted(`ports ${source} and ${destination} are answered by nobody`, {}, (p) => {
      p.listen();
      for (const flags of ['S', '.', 'F', 'R', '']) {
        p.sendRaw(
          writeSegment({
            srcAddr: ADDRESS_A,
            dstAddr: ADDRESS_B,
            srcPort: source,
            dstPort: destination,
            flags,
            seq: 1,
            ack: 1,
          }),
        );
      }
      p.expectNothing(0);
      expect(dropsOf(p.host)).toEqual({ tcpBadAddress: 5 });
    });
  }
});

describe('the land attack: a SYN from its own destination', () => {
  scripted('from outside it is no source', {}, (p) => {
    p.listen();
    p.sendRaw(synFrom('10.0.0.2', 80, 80));
    p.expectNothing(60_000);
    expect(p.host.connectionCount).toBe(0);
  });

  test('nor for a host that takes every destination', () => {
    const runtime = new VirtualRuntime(1);
    const [link, far] = memoryPair({ runtime });
    const host = new Host({ runtime, link, address: '10.0.0.2/24', acceptAny: true });
    host.listen({ port: 80 }, () => new User());
    const batch = new TxBatch();
    let answers = 0;
    far.open({ receive: (batch) => (answers += batch.count), writable() {}, closed() {} });
    for (const source of ['10.0.0.2', '192.0.2.7']) {
      const address = parseAddress(source)!;
      const fields = { srcAddr: address, dstAddr: address, srcPort: 80, dstPort: 80, seq: 1 };
      const syn = writeSegment({ ...fields, flags: 'S' });
      batch.bytes.set(syn, batch.begin(syn.length));
      far.send(batch);
      batch.reset();
    }
    runtime.run(1_000);
    expect(answers).toBe(0);
    expect(host.connectionCount).toBe(0);
    expect(dropsOf(host)).toEqual({ ipBadSource: 2 });
  });

  test('on the loopback one socket that opens to itself goes no further than itself', () => {
    const runtime = new VirtualRuntime(1);
    const loopback = loopbackLink(runtime);
    const host = new Host({ runtime, loopback });
    const user = new User();
    const options = { remoteAddress: '127.0.0.1', remotePort: 7_777, localPort: 7_777 };
    user.connection = host.connect(options, user);
    runtime.run(1_000);
    expect(host.connectionCount).toBe(1);
    expect(host.counters.tcpOutSegs + host.counters.tcpRetransSegs).toBeLessThan(5);
  });
});
