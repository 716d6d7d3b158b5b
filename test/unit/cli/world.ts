import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import type { Facts } from '../../../src/cli/facts.js';
import type { Io, StopReason } from '../../../src/cli/io.js';
import type { DeviceOptions, HostNet, SpawnOptions } from '../../../src/cli/platform.js';
import type { Link } from '../../../src/link/link.js';
import { VirtualRuntime } from '../../../src/runtime/virtual.js';
import type { ServiceServer } from '../../../src/services/module.js';
import { Host } from '../../../src/stack/host.js';

/** Collects what a command prints, and lets a test wait for a part of it. */
export class Screen extends Writable {
  text = '';
  isTTY = false;
  columns = 100;
  #waiting: (() => void)[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('latin1');
    for (const look of this.#waiting.splice(0)) look();
    done();
  }

  async shows(part: string): Promise<void> {
    while (!this.text.includes(part)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

export const HEALTHY: Facts = {
  platform: 'linux',
  nodeVersion: '20.20.2',
  addon: null,
  tun: null,
  netAdmin: true,
  userNamespaces: 'yes',
  offload: true,
};

let directory: string | null = null;

/** One for this process, gone when it ends. */
function runtimeDirectory(): string {
  if (directory !== null) return directory;
  const made = mkdtempSync(join(tmpdir(), 'tuntcp-test-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  directory = made;
  return made;
}

/**
 * A machine without devices: hosts listen on free ports of the loopback, and {@link World.port} says
 * which one stands for a port of the host.
 */
export class World implements Io {
  readonly stdin = new PassThrough();
  readonly stdout = new Screen();
  readonly stderr = new Screen();
  readonly env: NodeJS.ProcessEnv = { XDG_RUNTIME_DIR: runtimeDirectory() };
  facts: Facts = HEALTHY;
  openError: Error | null = null;
  /** The host does not manage to close. */
  stuck = false;
  /** Someone deletes the device. */
  loseDevice: (error: Error) => void = () => {};
  readonly opened: DeviceOptions[] = [];
  readonly spawned: SpawnOptions[] = [];
  /** What the commands on a running stack see. */
  readonly host = new Host({ runtime: new VirtualRuntime(1) });
  linksOpen = 0;
  hostsOpen = 0;
  readonly #ports = new Map<number, number>();
  readonly #sockets = new Set<net.Socket>();
  readonly #stops = new Set<(reason: StopReason) => void>();

  stop(reason: StopReason): void {
    for (const one of this.#stops) one(reason);
  }

  onStop(stop: (reason: StopReason) => void): () => void {
    this.#stops.add(stop);
    return () => this.#stops.delete(stop);
  }

  get listensForStop(): boolean {
    return this.#stops.size > 0;
  }

  /** The real port behind `port` of the host. */
  port(port: number): number {
    return this.#ports.get(port)!;
  }

  /** Makes `real`, a port of the loopback, the peer's `port`. */
  peer(port: number, real: number): void {
    this.#ports.set(port, real);
  }

  readonly platform: Io['platform'] = {
    shards: () => Promise.reject(new Error('there is one thread here')),
    openDevice: async (options) => {
      if (this.openError !== null) throw this.openError;
      this.opened.push(options);
      return this.#link();
    },
    spawn: async (options) => {
      this.spawned.push(options);
      const link = this.#link();
      await options.prepare(link);
      return { link, child: spawn(options.command, options.args, { stdio: 'ignore' }) };
    },
    host: async (link) => {
      this.hostsOpen++;
      link.open({ receive: () => {}, writable: () => {}, closed: () => {} });
      return { net: this.#net, view: this.host, close: () => this.#closeHost() };
    },
    facts: async () => this.facts,
  };

  readonly #net: HostNet = {
    createServer: (options, connection) => {
      const server = net.createServer(options, (socket) => {
        this.#sockets.add(socket);
        connection(socket);
      });
      const own: ServiceServer = {
        listen: (port, listening) => {
          server.listen(0, '127.0.0.1', () => {
            this.#ports.set(port, (server.address() as net.AddressInfo).port);
            listening?.();
          });
          return own;
        },
        close: () => {
          server.close();
          return own;
        },
        address: () => server.address(),
        on: (event, listener) => {
          server.on(event, listener);
          return own;
        },
      };
      return own;
    },
    connect: ({ port, allowHalfOpen }) =>
      net.connect({ host: '127.0.0.1', port: this.port(port), allowHalfOpen }),
  };

  async #closeHost(): Promise<void> {
    if (this.stuck) await new Promise(() => {});
    for (const socket of this.#sockets) socket.destroy();
    this.hostsOpen--;
  }

  #link(): Link {
    let open = true;
    this.linksOpen++;
    return {
      name: 'tun7',
      mtu: 1500,
      offload: true,
      headroom: 0,
      blocked: false,
      open: (receiver) => {
        this.loseDevice = (error) => receiver.closed(error);
      },
      send: () => {},
      close: () => {
        if (open) this.linksOpen--;
        open = false;
      },
    };
  }
}
