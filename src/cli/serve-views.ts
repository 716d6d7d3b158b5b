import { bare } from './arguments.js';
import { networkId } from './control/directory.js';
import type { Identity } from './control/protocol.js';
import type { Questions } from './control/session.js';
import { openControl } from './control/stacks.js';
import type { Io } from './io.js';
import { startMetricsServer } from './metrics-server.js';

/** What can be seen of a stack, or of several that are one host. */
export interface Views {
  device: string;
  /** With its prefix. */
  address: string;
  /** Where metrics are served; null: nowhere. */
  metricsPort: number | null;
  metrics(): string | Promise<string>;
  questions(identity: Identity): Questions;
}

/** The ways to look in from outside: the control socket, and metrics by http. */
export async function openViews(io: Io, views: Views): Promise<{ close(): void }> {
  const { device, address, metricsPort } = views;
  const metrics =
    metricsPort === null ? null : await startMetricsServer(metricsPort, () => views.metrics());
  const identity = { device, pid: process.pid, network: networkId(), address: bare(address) };
  const control = await openControl(io.env, device, views.questions(identity)).catch(
    (error: Error) => {
      // Nobody can look in, but the services do without.
      io.stderr.write(`tuntcp serve: no control socket: ${error.message}\n`);
      return null;
    },
  );
  return {
    close: () => {
      metrics?.close();
      control?.close();
    },
  };
}
