import { describe, expect, it } from 'vitest';
import { conversation } from '../../support/conversation.js';
import { type Family, readMetrics } from '../../support/prometheus.js';

/** By the value of the one label. */
function byLabel(family: Family | undefined, label: string): Record<string, number> {
  return Object.fromEntries(family!.samples.map(({ labels, value }) => [labels[label], value]));
}

describe('metrics()', () => {
  conversation('says everything that is counted, in the format of Prometheus', {}, (c) => {
    c.establish();
    c.userB.reads = false;
    c.userA.write(Buffer.alloc(1_000));
    c.run(100);
    const families = readMetrics(c.b.metrics());
    const { drops, ...counts } = c.b.counters.snapshot();
    const counters = [...families].filter(([, { type }]) => type === 'counter');
    expect(counters).toHaveLength(Object.keys(counts).length + 1);
    const values = counters.flatMap(([, { samples }]) => samples.map(({ value }) => value));
    const sum = (all: number[]) => all.reduce((total, value) => total + value, 0);
    expect(sum(values)).toBe(sum([...Object.values(counts), ...Object.values(drops)]));
    expect(byLabel(families.get('tuntcp_drops_total'), 'reason')).toEqual(drops);
    const received = families.get('tuntcp_tcp_segments_received_total')!;
    expect(received).toMatchObject({ type: 'counter', samples: [{ value: counts.tcpInSegs }] });
    expect(byLabel(families.get('tuntcp_connections'), 'state')).toEqual({
      syn_sent: 0,
      syn_received: 0,
      established: 1,
      fin_wait_1: 0,
      fin_wait_2: 0,
      close_wait: 0,
      closing: 0,
      last_ack: 0,
      time_wait: 0,
    });
    expect(families.get('tuntcp_listeners')!.samples).toMatchObject([{ value: 1 }]);
    expect(families.get('tuntcp_receive_buffered_bytes')!.samples).toMatchObject([
      { value: 1_000 },
    ]);
  });

  conversation('counts TIME_WAIT', {}, (c) => {
    c.establish();
    c.userB.endsWithPeer = true;
    c.userA.end();
    c.run(1_000);
    const states = byLabel(readMetrics(c.a.metrics()).get('tuntcp_connections'), 'state');
    expect(states).toMatchObject({ time_wait: 1, established: 0 });
  });
});

describe('the reader of metrics', () => {
  const good = '# HELP a_total A.\n# TYPE a_total counter\na_total{x="y"} 1\na_total{x="z"} 2\n';

  it('reads', () => {
    expect(readMetrics(good).get('a_total')!.samples).toHaveLength(2);
  });

  it.each([
    ['an unfinished line', good.trimEnd()],
    ['no HELP', good.replace(/^.*\n/, '')],
    ['a counter without _total', good.replaceAll('a_total', 'a')],
    ['camelCase', good.replaceAll('a_total', 'aB_total')],
    ['a unit that is no base unit', good.replaceAll('a_total', 'a_ms_total')],
    ['a sample twice', good.replace('"z"', '"y"')],
    ['a sample of another family', good.replace('a_total{x="z"}', 'b_total')],
    ['a value that is no number', good.replace(' 2', ' two')],
  ])('refuses %s', (_, text) => {
    expect(() => readMetrics(text)).toThrow();
  });
});
