import { runCommand } from './peers.js';
import { SOURCES } from './server.js';
import type { Sample, Suite } from './suite.js';
import { less, mainKinds, more, warmUp } from './suite.js';

const ECHO = 7;
const CLOSE_AT_ONCE = 13;
const SIZES = [
  [1, '1 byte'],
  [1024, '1 KiB'],
] as const;
const WARM_UPS = 2;

/** Requests and responses of one size; latencies are those that the client sees. */
export const requests: Suite = {
  name: 'requests',
  letter: 'b',
  title: 'request and response',
  kinds: mainKinds,
  run: (kind, bench) =>
    bench.withServer(kind, async ({ address }) => {
      const { peers, settings } = bench;
      const measure = async (seconds: number) => {
        const samples: Sample[] = [];
        for (const [size, name] of SIZES) {
          for (const connections of [1, 64]) {
            const args = [address, ECHO, connections, size, seconds];
            const figures = await peers.numbers('rr-peer', args, seconds);
            samples.push(...samplesOf(`${name} on ${connections}`, figures));
          }
        }
        return samples;
      };
      await warmUp(settings, WARM_UPS, measure);
      return measure(settings.seconds);
    }),
};

function samplesOf(metric: string, [rate, p50, p99, p999]: readonly number[]): Sample[] {
  return [
    more(metric, '1/s', rate!),
    less(`${metric}, p50`, 'µs', p50!),
    less(`${metric}, p99`, 'µs', p99!),
    less(`${metric}, p99.9`, 'µs', p999!),
  ];
}

/** The HTTP server of Node.js under wrk, connections kept alive. */
export const http: Suite = {
  name: 'http',
  letter: 'c',
  title: 'http under wrk',
  kinds: mainKinds,
  run: (kind, bench) =>
    bench.withServer(kind, async ({ address }) => {
      const { settings } = bench;
      const measure = async (seconds: number) => {
        const samples: Sample[] = [];
        for (const connections of [1, 64, 1000]) {
          const { rate, p99 } = await wrk(address, connections, seconds);
          samples.push(
            more(`${connections} connections`, '1/s', rate),
            less(`${connections} connections, p99`, 'µs', p99),
          );
        }
        return samples;
      };
      await warmUp(settings, WARM_UPS, measure);
      return measure(Math.max(1, Math.round(settings.seconds)));
    }),
};

export async function wrk(address: string, connections: number, seconds: number) {
  const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--latency'];
  const text = await runCommand('wrk', [...args, `http://${address}/`], seconds);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text);
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(text);
  const failed = /Non-2xx.*/.exec(text);
  if (failed !== null || rate === null || p99 === null) {
    throw new Error(`wrk on ${connections} connections: ${failed?.[0] ?? text}`);
  }
  const unit = { us: 1, ms: 1e3, s: 1e6 }[p99[2] as 'us' | 'ms' | 's'];
  return { rate: Number(rate[1]), p99: Number(p99[1]) * unit };
}

/** Connections that the server closes as soon as it has accepted them. */
export const connections: Suite = {
  name: 'connections',
  letter: 'd',
  title: 'connections opened and closed',
  kinds: mainKinds,
  run: (kind, bench) =>
    bench.withServer(kind, async ({ address }) => {
      const { peers, settings } = bench;
      const measure = async (seconds: number) => {
        const samples: Sample[] = [];
        for (const atATime of [1, 64]) {
          const args = [address, CLOSE_AT_ONCE, atATime, SOURCES, seconds];
          const [rate] = await peers.numbers('connect-peer', args, seconds);
          samples.push(more(`${atATime} at a time`, '1/s', rate!));
        }
        return samples;
      };
      await warmUp(settings, WARM_UPS, measure);
      return measure(settings.seconds);
    }),
};
