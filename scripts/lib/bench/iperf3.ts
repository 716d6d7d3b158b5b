import { runCommand } from './peers.js';
import type { Sample, Suite } from './suite.js';
import { mainKinds, more, warmUp } from './suite.js';

const RUNS: readonly [metric: string, args: readonly string[]][] = [
  ['up', []],
  ['down', ['-R']],
  ['both', ['--bidir']],
  ['up, -P 8', ['-P', '8']],
  ['down, -P 8', ['-P', '8', '-R']],
];

interface End {
  sum_received: { bits_per_second: number };
  sum_received_bidir_reverse?: { bits_per_second: number };
}

/** The real iperf3 as the client; the server is ours, on either stack. */
export const iperf3: Suite = {
  name: 'iperf3',
  letter: 'a',
  title: 'iperf3',
  kinds: mainKinds,
  run: (kind, bench) =>
    bench.withServer(kind, async ({ address }) => {
      const { settings } = bench;
      await warmUp(settings, 1, (seconds) => goThrough(address, seconds));
      return goThrough(address, Math.max(1, Math.round(settings.seconds)));
    }),
};

async function goThrough(address: string, seconds: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const [metric, args] of RUNS) {
    const command = ['-c', address, '-J', '-i', '0', '-t', String(seconds), ...args];
    const { end } = JSON.parse(await runCommand('iperf3', command, seconds)) as { end: End };
    const back = end.sum_received_bidir_reverse?.bits_per_second ?? 0;
    const bits = end.sum_received.bits_per_second + back;
    samples.push(more(metric, 'Gbit/s', bits / 1e9));
  }
  return samples;
}
