import { Flow } from './flow.js';
import { Network, pair } from './network.js';

export interface Speed {
  /** ms of simulated and of real time. */
  simulated: number;
  real: number;
  /** Packets that the link took, in both directions. */
  packets: number;
}

/** One flow of 10 Mbit/s that neither loses nor queues much, for so many ms of simulated time. */
export function measureSpeed(simulated: number, clock: () => number): Speed {
  const network = new Network({ tcp: { receiveBuffer: 90_000 } });
  const path = { rate: 10e6, delay: 20, queue: { bytes: 50_000 } };
  const { a, b, link } = pair(network, { up: path, down: { delay: 20 } });
  const flow = new Flow(a, b);
  flow.client.writeUpTo(1e12);
  const start = clock();
  network.runtime.run(simulated);
  const real = clock() - start;
  if (flow.server.wrongAt >= 0 || flow.goodput < 9)
    throw new Error('the flow is not as it should be');
  const packets = link.counters('up').packets + link.counters('down').packets;
  return { simulated, real, packets };
}
