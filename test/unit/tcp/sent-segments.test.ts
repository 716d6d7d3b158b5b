import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { seq } from '../../../src/base/seq.js';
import { Delivery } from '../../../src/tcp/sender-variables.js';
import { MAX_ROWS, type SendState, Sent, SentSegments } from '../../../src/tcp/sent-segments.js';

const STATE: SendState = {
  delivery: Object.assign(new Delivery(), { appLimited: 0 }),
  sndMss: 1,
};

function rowsOf(sent: SentSegments): [number, number, number][] {
  return Array.from({ length: sent.length }, (_, i) => [sent.start(i), sent.end(i), sent.flags(i)]);
}

describe('what is outstanding', () => {
  test('octets sent at one time share a row, up to 64 KiB', () => {
    const sent = new SentSegments();
    for (let i = 0; i < 50; i++) sent.append(seq(i * 2_000), seq((i + 1) * 2_000), STATE, 0, 0, 7);
    expect(rowsOf(sent)).toEqual([
      [0, 64_000, 0],
      [64_000, 100_000, 0],
    ]);
    sent.append(seq(100_000), seq(101_000), STATE, 0, 0, 8);
    expect(sent.length).toBe(3);
  });

  test('what follows a short segment has a row of its own', () => {
    const sent = new SentSegments();
    const state = { ...STATE, sndMss: 1_000 };
    sent.append(seq(0), seq(2_000), state, 0, 0, 0);
    sent.append(seq(2_000), seq(2_500), state, 0, 0, 0);
    sent.append(seq(2_500), seq(3_500), state, 0, 0, 0);
    expect(rowsOf(sent).map(([start]) => start)).toEqual([0, 2_500]);
  });

  test('an ACK takes rows off the front, and a part of one', () => {
    const sent = new SentSegments();
    for (let i = 0; i < 4; i++) sent.append(seq(i * 10), seq((i + 1) * 10), STATE, 0, 0, i);
    sent.dropFront(seq(15));
    sent.dropFront(seq(15));
    expect(rowsOf(sent)[0]).toEqual([15, 20, 0]);
    expect(sent.sentAt(0)).toBe(1);
  });

  test('rows are cut, marked, joined and counted', () => {
    const sent = new SentSegments();
    sent.append(seq(-5), seq(95), STATE, 0, 0, 1);
    expect(sent.split(0, seq(10))).toBe(true);
    expect(sent.split(1, seq(20))).toBe(true);
    sent.markSacked(1);
    sent.markLost(0);
    expect([sent.sacked, sent.lost]).toEqual([10, 15]);
    sent.giveToPrevious(2, seq(30));
    expect(rowsOf(sent)).toEqual([
      [-5, 10, Sent.LOST],
      [10, 30, Sent.SACKED],
      [30, 95, 0],
    ]);
    expect(sent.sacked).toBe(20);
    sent.resend(0, STATE, 0, 5);
    expect([sent.lost, sent.twice, sent.times(0)]).toEqual([0, 0, 1]);
    sent.resend(2, STATE, 0, 6);
    expect(sent.twice).toBe(65);
    sent.markSacked(2);
    sent.joinNext(1);
    expect(rowsOf(sent).length).toBe(2);
    expect([sent.sacked, sent.lost, sent.twice]).toEqual([85, 0, 0]);
    sent.dropFront(seq(95));
    sent.dropFront(seq(95));
    expect([sent.length, sent.sacked]).toEqual([0, 0]);
  });

  test('the number of rows is bounded, and SACK blocks leave a reserve', () => {
    const sent = new SentSegments();
    sent.append(seq(0), seq(60_000), STATE, 0, 0, 0);
    let cuts = 0;
    while (sent.splitForSack(sent.length - 1, seq(++cuts))) {}
    expect(sent.length).toBeLessThan(MAX_ROWS);
    while (sent.split(sent.length - 1, seq(cuts++))) {}
    expect(sent.length).toBe(MAX_ROWS);
    expect(sent.isFull).toBe(true);
  });

  test('from half of the bound on, what follows soon joins the last row', () => {
    const sent = new SentSegments();
    for (let i = 0; i < MAX_ROWS; i++) {
      sent.append(seq(i * 10), seq((i + 1) * 10), STATE, 0, 2, i);
    }
    expect(sent.length).toBeLessThan(MAX_ROWS);
    expect(sent.length).toBeGreaterThanOrEqual(MAX_ROWS / 2);
  });

  test('random operations keep order, borders and counts (seed 5)', () => {
    const random = new Random(5);
    const sent = new SentSegments();
    let una = 0x7fff_ff00;
    let next = una;
    const pick = (n: number) => random.int(n);
    for (let step = 0; step < 5_000; step++) {
      const row = pick(Math.max(1, sent.length));
      switch (pick(6)) {
        case 0:
        case 1: {
          const size = 1 + pick(100);
          if (sent.length < 60) sent.append(seq(next), seq((next += size)), STATE, 0, 0, step);
          break;
        }
        case 2:
          if (sent.length > 0 && sent.size(row) > 1)
            sent.split(row, seq(sent.start(row) + 1 + pick(sent.size(row) - 1)));
          break;
        case 3:
          if (sent.length > 0) sent.markSacked(row);
          break;
        case 4:
          if (sent.length > 0) {
            sent.markLost(row);
            if (pick(2) === 0) sent.resend(row, STATE, 0, step);
          }
          break;
        case 5: {
          una += pick(Math.min(60, next - una + 1));
          while (sent.length > 0 && ((sent.start(0) - una) | 0) < 0) sent.dropFront(seq(una));
          break;
        }
      }
      let at = una | 0;
      let [sacked, lost, twice] = [0, 0, 0];
      let wrong = 0;
      for (let i = 0; i < sent.length; i++) {
        if (sent.start(i) !== at || sent.size(i) <= 0) wrong++;
        at = sent.end(i);
        const flags = sent.flags(i);
        if (flags & Sent.SACKED) sacked += sent.size(i);
        if (flags & Sent.LOST) lost += sent.size(i);
        if (flags & Sent.TWICE) twice += sent.size(i);
        if (sent.find(sent.start(i)) !== i) wrong++;
      }
      expect(wrong).toBe(0);
      if (sent.length > 0) expect(at).toBe(next | 0);
      expect([sent.sacked, sent.lost, sent.twice]).toEqual([sacked, lost, twice]);
    }
  });
});
