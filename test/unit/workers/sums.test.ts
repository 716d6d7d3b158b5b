import { expect, test } from 'vitest';
import { Stack } from '../../../src/net/stack.js';
import { sumCounters, sumMetrics } from '../../../src/workers/sums.js';

function stacks(): Stack[] {
  const all = [new Stack(), new Stack(), new Stack()];
  all.forEach(({ counters }, i) => {
    counters.tcpInSegs = 10 ** i;
    counters.ipInOctets = 2 ** 40 + i;
    counters.countDrop(1, i);
  });
  return all;
}

test('counters and drops are added up, by name', () => {
  const all = stacks();
  const sum = sumCounters(all.map(({ counters }) => counters.snapshot()));
  expect(sum).toMatchObject({ tcpInSegs: 111, ipInOctets: 3 * 2 ** 40 + 3, tcpOutSegs: 0 });
  expect(sum.drops).toMatchObject({ ipShort: 3, ipVersion: 0 });
  expect(Object.keys(sum)).toEqual(Object.keys(all[0]!.counters.snapshot()));
});

test('metrics are added up, and described once', () => {
  const texts = stacks().map((stack) => stack.metrics());
  const sum = sumMetrics(texts);
  expect(sum).toContain('\ntuntcp_tcp_segments_received_total 111\n');
  expect(sum).toContain('\ntuntcp_drops_total{reason="ipShort"} 3\n');
  const comments = (text: string) => text.split('\n').filter((line) => line.startsWith('#'));
  expect(comments(sum)).toEqual(comments(texts[0]!));
  expect(sum.endsWith('\n')).toBe(true);
});
