import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { Conversation, conversation, recorded } from '../conversation.js';
import { Peer, scripted } from '../peer.js';
import { runs } from '../seed.js';

conversation('passes', {}, (c) => c.establish());

conversation('loses a segment', { seed: 5, drop: [{ from: 'a', data: true }] }, (c) => {
  c.establish();
  c.userA.write('hello');
  c.run(1_000);
  expect(c.userB.received.toString()).toBe('goodbye');
});

conversation('takes long', {}, (c) => {
  c.establish();
  c.userA.write(Buffer.alloc(2_000_000));
  c.run(10_000);
  expect(c.userB.received.length).toBe(0);
});

describe("isn't (what it seems)", () => {
  scripted('$ is [not] + expected', {}, (p) => {
    p.accept();
    p.send('.', { data: 'hello' });
    p.expect('F.', {}, 100);
  });
});

test('makes one peer after the other', () => {
  for (let i = 0; i < 10; i++) {
    const p = new Peer({ peerPort: 5_000 + i });
    p.accept();
    expect(i).toBeLessThan(7);
  }
});

test('finds a counterexample', () => {
  const attempt = (size: number) => {
    let full = 0;
    // The first full segment is broken; ACKs arrive twice.
    const onPacket = (packet: Uint8Array) => {
      if (packet.length > 1_000 && full++ === 0) packet[30]! ^= 1;
      return packet.length === 52 ? [0, 3] : 0;
    };
    const options = { seed: size, onPacket };
    recorded(new Conversation(options), (c) => {
      c.establish();
      c.userA.write(Buffer.alloc(size));
      c.run(1_000);
      expect(c.userB.received.length).toBeLessThan(1_000);
    });
  };
  fc.assert(fc.property(fc.nat(100_000), attempt), runs(100));
});

test('has no conversation', () => {
  expect(1).toBe(2);
});

describe('with a conversation for all', () => {
  let c: Conversation;
  beforeAll(() => {
    c = new Conversation({ seed: 9 });
    c.establish();
  });

  test('uses it', () => c.run(10));
  test('fails with it', () => expect(c.userB.events).toEqual([]));
});
