import { expect, test } from 'vitest';
import { RX_CHECKSUM_VOUCHED } from '../../../src/base/batch.js';
import { Board } from '../../../src/workers/board.js';
import type { Parcel } from '../../../src/workers/parcel.js';
import { ShardBus } from '../../../src/workers/shard-bus.js';

interface Received {
  asked: number;
  packets: string[];
  segmentSizes: number[];
  flags: number[];
}

/** Two shards; what the first passes is delivered when the test says so. */
function scene() {
  const board = new Board(Board.memory(2), 2);
  const from = new ShardBus(0, 2, new Uint8Array(32), 0, board);
  const to = new ShardBus(1, 2, new Uint8Array(32), 0, board);
  const posted: Parcel[] = [];
  let listener: (parcel: Parcel) => void = () => {};
  const port = { unref() {}, close() {} };
  from.addPeer(1, { ...port, on() {}, postMessage: (parcel) => void posted.push(parcel) });
  to.addPeer(0, {
    ...port,
    on: (_event, listens) => {
      listener = listens;
    },
    postMessage() {},
  });
  const received: Received[] = [];
  to.open((batch, asked) => {
    const at = Array.from({ length: batch.count }, (_, i) => i);
    received.push({
      asked,
      packets: at.map((i) => {
        const offset = batch.offset[i]!;
        return Buffer.from(batch.bytes.subarray(offset, offset + batch.length[i]!)).toString();
      }),
      segmentSizes: at.map((i) => batch.segmentSize[i]!),
      flags: at.map((i) => batch.flags[i]!),
    });
  });
  const pass = (text: string, asked = 1, segmentSize = 0) => {
    const bytes = Buffer.from(`..${text}..`);
    return from.pass(1, asked, bytes, 2, text.length, segmentSize);
  };
  const deliver = () => {
    for (const parcel of posted.splice(0)) listener(parcel);
  };
  return { board, from, to, posted, received, pass, deliver };
}

test('packets of one batch are one message, in order, whatever becomes of their bytes', () => {
  const { from, posted, received, pass, deliver, board } = scene();
  pass('first', 1, 1448);
  pass('second');
  expect(posted).toEqual([]);
  from.flush();
  expect(posted).toHaveLength(1);
  expect(board.waiting(0, 1)).toBeGreaterThan('firstsecond'.length);
  deliver();
  expect(received).toEqual([
    {
      asked: 1,
      packets: ['first', 'second'],
      segmentSizes: [1448, 0],
      flags: [RX_CHECKSUM_VOUCHED, RX_CHECKSUM_VOUCHED],
    },
  ]);
  expect(board.waiting(0, 1)).toBe(0);
});

test('who was asked divides messages', () => {
  const { from, received, pass, deliver } = scene();
  pass('one', 1);
  pass('all', -1);
  from.flush();
  deliver();
  expect(received.map(({ asked, packets }) => [asked, ...packets])).toEqual([
    [1, 'one'],
    [-1, 'all'],
  ]);
});

test('more packets than a batch holds are several messages', () => {
  const { from, received, pass, deliver } = scene();
  const texts = Array.from({ length: 600 }, (_, i) => `packet ${i}`);
  for (const text of texts) pass(text);
  from.flush();
  deliver();
  expect(received.map(({ packets }) => packets.length)).toEqual([256, 256, 88]);
  expect(received.flatMap(({ packets }) => packets)).toEqual(texts);
});

test('what waits is bounded, in bytes and in packets', () => {
  const { from, pass, deliver } = scene();
  let large = 0;
  while (pass('x'.repeat(60_000))) large++;
  expect(large * 60_000).toBeLessThanOrEqual(4 * 1024 * 1024);
  expect(large).toBeGreaterThan(60);
  from.flush();
  deliver();
  let small = 0;
  while (pass('x')) small++;
  expect(small).toBeGreaterThan(1_000);
  expect(small).toBeLessThan(20_000);
});

test('a shard that is closed gets nothing, and listens no more', () => {
  const { board, from, to, received, pass, deliver } = scene();
  to.setListening(80, true);
  expect(from.listeners(80)).toBe(2);
  expect(from.alive).toBe(2);
  pass('late');
  from.flush();
  to.close();
  deliver();
  expect(received).toEqual([]);
  expect(board.alive).toBe(0);
  expect(from.listeners(80)).toBe(0);
});
