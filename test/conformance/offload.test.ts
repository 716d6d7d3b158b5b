import { describe, expect } from 'vitest';
import { conversation } from '../support/conversation.js';

const BYTES = 200_000;

describe('segmentation offload', () => {
  for (const offload of [false, true]) {
    conversation(`segments are counted as on the wire, offload ${offload}`, { offload }, (c) => {
      c.userB.endsWithPeer = true;
      c.establish();
      c.userA.write(Buffer.alloc(BYTES, 'x'));
      c.userA.end();
      c.finish();
      const { sndMss } = c.userA.connection.info();
      const onWire = c.packets
        .filter((packet) => packet.from === 'a')
        .reduce((sum, { data }) => sum + Math.max(1, Math.ceil(data.length / sndMss)), 0);
      expect(c.a.counters.tcpOutSegs).toBe(onWire);
      expect(c.b.counters.tcpInSegs).toBe(onWire);
      expect(c.b.counters.tcpOutSegs).toBe(c.a.counters.tcpInSegs);
      const packets = c.packets.filter((packet) => packet.data.length > 0).length;
      if (offload) expect(packets).toBeLessThan(BYTES / sndMss / 4);
      else expect(packets).toBe(Math.ceil(BYTES / sndMss));
    });
  }

  conversation('only the last segment of a burst is short', { offload: true }, (c) => {
    c.establish();
    c.userA.write(Buffer.alloc(BYTES, 'x'));
    c.run(1_000);
    const { sndMss } = c.userA.connection.info();
    const bursts = c.packets.filter((packet) => packet.data.length > 0);
    for (const { data } of bursts.slice(0, -1)) expect(data.length % sndMss).toBe(0);
    for (const { data } of bursts) expect(data.length).toBeLessThanOrEqual(65_535 - 60 - 20);
    expect(c.userB.received.length).toBe(BYTES);
  });

  conversation(
    'a lost burst is sent again in segments',
    {
      offload: true,
      drop: [{ from: 'a', data: true, nth: 2 }],
    },
    (c) => {
      c.userB.endsWithPeer = true;
      c.establish();
      c.userA.write(Buffer.alloc(BYTES, 'x'));
      c.userA.end();
      c.finish();
      expect(c.userB.received.length).toBe(BYTES);
      expect(c.a.counters.tcpRetransSegs).toBeGreaterThan(0);
    },
  );
});
