import * as os from 'node:os';

/** Where something was measured. */
export interface Machine {
  cpu: string;
  kernel: string;
  node: string;
}

export function machine(): Machine {
  const cpus = os.cpus();
  return {
    cpu: `${cpus.length} x ${cpus[0]?.model ?? 'unknown'}`,
    kernel: os.release(),
    node: process.version,
  };
}
