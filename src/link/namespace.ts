import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { deviceError } from './device-error.js';
import type { HelperMessage, HelperTask } from './namespace-helper.js';
import { addon } from './native.js';
import { openTun, type TunLink } from './tun.js';
import { checkTunOptions, type TunOptions, wrongValue } from './tun-options.js';

const { EPERM } = constants.errno;

/** The command, the device that it finds in its namespace, and what else `spawn` takes. */
export interface NamespaceOptions extends Omit<TunOptions, 'fd' | 'up'> {
  /** Found in PATH. */
  command: string;
  args?: readonly string[];
  /** For standard input, output and error; default `'inherit'`. */
  stdio?: 'inherit' | 'pipe' | 'ignore' | readonly ('inherit' | 'pipe' | 'ignore' | number)[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /**
   * Called with the link before the command starts, and awaited: the place to make a host, so that
   * its servers listen when the command's first packet arrives.
   */
  prepare?: (link: TunLink) => void | Promise<void>;
  /**
   * SIGTERM and SIGHUP to this process go to the command too, and SIGINT and SIGQUIT leave this
   * process running until the command has ended (a terminal sends them to both); default true.
   */
  forwardSignals?: boolean;
}

/**
 * Runs a command in a network namespace of its own, whose only way out is a TUN device with this
 * process on the other side. Every address leads there: unless {@link TunOptions.routes} says
 * otherwise, the device is the default route. Needs no privileges where user namespaces are allowed
 * (the command sees itself as root then); as root no user namespace is made.
 *
 * The device lives as long as the link; close it when the command has ended. The command gets
 * SIGTERM if this process ends first.
 *
 * @returns once the command runs, with `child` its own process (not a wrapper)
 * @throws Error with `code`, `errno`, `syscall` and what to do; ENOENT when there is no such command
 */
export async function spawnInNamespace(
  options: NamespaceOptions,
): Promise<{ link: TunLink; child: ChildProcess }> {
  const device = deviceOptions(options);
  checkTunOptions(device);
  const native = addon();
  const [ours, theirs] = native.socketPair();
  let link: TunLink | undefined;
  let child: ChildProcess | undefined;
  try {
    child = spawnHelper(options, device, theirs);
    const helper = new Helper(child);
    const { mtu } = await helper.ready();
    link = openTun({ fd: native.recvFd(ours), offload: device.offload, mtu });
    await options.prepare?.(link);
    await helper.becomeCommand();
    if (options.forwardSignals !== false) forwardSignals(child);
    return { link, child };
  } catch (error) {
    link?.close();
    child?.kill('SIGKILL');
    throw error;
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

function deviceOptions(options: NamespaceOptions): TunOptions {
  const { command, cwd, name, offload, hostAddress, mtu, txQueueLength, routes } = options;
  if (typeof command !== 'string' || command === '') {
    throw wrongValue('options.command', 'must be the name of a command', command);
  }
  // `spawn` would complain of the command.
  if (cwd !== undefined && !existsSync(cwd)) {
    throw wrongValue('options.cwd', 'must be a folder that exists', cwd);
  }
  return {
    name,
    offload,
    hostAddress: hostAddress ?? '10.7.0.1/24',
    mtu,
    txQueueLength,
    routes: routes ?? ['0.0.0.0/0'],
  };
}

function spawnHelper(options: NamespaceOptions, device: TunOptions, socket: number): ChildProcess {
  const task: HelperTask = {
    argv: [options.command, ...(options.args ?? [])],
    device,
    parent: process.pid,
  };
  const { stdio = 'inherit' } = options;
  const [input = 'inherit', output = 'inherit', error = 'inherit'] =
    typeof stdio === 'string' ? [stdio, stdio, stdio] : stdio;
  return spawn(
    'unshare',
    [unshareFlags(), '--', process.execPath, helperPath(), JSON.stringify(task)],
    {
      stdio: [input, output, error, 'pipe', socket] as StdioOptions,
      env: options.env,
      cwd: options.cwd,
    },
  );
}

/**
 * Whether {@link spawnInNamespace} can make its namespaces here: true, or an Error that says what to
 * do. Leaves nothing behind.
 */
export function probeNamespace(): true | Error {
  const { status, error } = spawnSync('unshare', [unshareFlags(), 'true']);
  if (status === 0) return true;
  return deviceError((error as NodeJS.ErrnoException)?.errno ?? -EPERM, 'unshare', 'the namespace');
}

/** Root in a container may lack the right to make a network namespace alone. */
function unshareFlags(): string {
  const direct = process.geteuid?.() === 0 && spawnSync('unshare', ['-n', 'true']).status === 0;
  return direct ? '-n' : '-Urn';
}

function helperPath(): string {
  const beside = fileURLToPath(new URL('./namespace-helper.js', import.meta.url));
  if (existsSync(beside)) return beside;
  return fileURLToPath(new URL('../../dist/link/namespace-helper.js', import.meta.url));
}

/** The parent's end of the conversation with `namespace-helper.ts`. */
class Helper {
  readonly #control: Socket;
  readonly #messages: AsyncIterator<string>;
  readonly #ended: Promise<Error>;

  constructor(child: ChildProcess) {
    this.#control = child.stdio[3] as Socket;
    this.#messages = createInterface({ input: this.#control })[Symbol.asyncIterator]();
    this.#ended = new Promise((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        resolve(deviceError(error.errno ?? -EPERM, 'unshare', 'unshare'));
      });
      child.once('exit', () => resolve(deviceError(-EPERM, 'unshare', 'the namespace')));
    });
  }

  /** The device is made, and its descriptor sent. */
  async ready(): Promise<{ mtu: number }> {
    const message = await this.#next();
    if (message === undefined) throw await this.#ended;
    return message as { mtu: number };
  }

  /** The command runs when the helper's end closes without another word. */
  async becomeCommand(): Promise<void> {
    this.#control.write('\n');
    await this.#next();
    this.#control.destroy();
  }

  /** @returns undefined when there is no more; throws the helper's error */
  async #next(): Promise<HelperMessage | undefined> {
    const { value, done } = await this.#messages.next();
    if (done) return undefined;
    const message = JSON.parse(value) as HelperMessage;
    if ('error' in message) {
      const { message: text, ...rest } = message.error;
      throw Object.assign(new Error(text), rest);
    }
    return message;
  }
}

function forwardSignals(child: ChildProcess): void {
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  const wait = (signal: NodeJS.Signals) => {
    if (!process.stdin.isTTY) child.kill(signal);
  };
  const handlers = { SIGTERM: pass, SIGHUP: pass, SIGINT: wait, SIGQUIT: wait };
  const entries = Object.entries(handlers) as [NodeJS.Signals, typeof pass][];
  for (const [signal, handler] of entries) process.on(signal, handler);
  child.once('exit', () => {
    for (const [signal, handler] of entries) process.off(signal, handler);
  });
}
