/**
 * Runs inside the new namespaces of `spawnInNamespace`: makes the TUN device, hands its descriptor
 * to the parent and becomes the command. Speaks JSON lines on descriptor 3; descriptor 4 is the UNIX
 * socket for the device.
 */
import { readSync, writeSync } from 'node:fs';
import { described } from './device-error.js';
import { HostSide, setLoopbackUp } from './host-side.js';
import { addon } from './native.js';
import type { TunOptions } from './tun-options.js';

const CONTROL = 3;
const SOCKET = 4;

/** The only argument, as JSON. */
export interface HelperTask {
  readonly argv: readonly string[];
  readonly device: TunOptions;
  readonly parent: number;
}

/** What the helper tells its parent. */
export type HelperMessage =
  | { readonly ready: true; readonly mtu: number }
  | {
      readonly error: { message: string; code?: string; errno?: number; syscall?: string };
    };

function tell(message: HelperMessage): void {
  writeSync(CONTROL, `${JSON.stringify(message)}\n`);
}

function run(task: HelperTask): void {
  const native = addon();
  native.dieWithParent(task.parent);
  setLoopbackUp();
  const { name = '', offload = true } = task.device;
  const device = described(name || 'a new device', () => new native.Device(name, -1, offload));
  new HostSide(device.name).configure(task.device, true);
  native.sendFd(SOCKET, device.fd);
  tell({ ready: true, mtu: native.interfaceInfo(device.name).mtu });
  // The parent has its side ready when it answers, and has given up when it closes.
  if (readSync(CONTROL, Buffer.alloc(1)) === 0) return;
  described(task.argv[0]!, () => native.exec(task.argv));
}

try {
  run(JSON.parse(process.argv[2]!) as HelperTask);
} catch (error) {
  const { message, code, errno, syscall } = error as Error & NodeJS.ErrnoException;
  tell({ error: { message, code, errno, syscall } });
}
process.exitCode = 127;
