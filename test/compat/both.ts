import * as node from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import ours from '../../src/net/module.js';

/** The part of a net module that scenarios use; Node's types stand for both. */
export type Net = typeof node;
type Emitter = NodeJS.EventEmitter;

/** What a scenario saw, in order. */
export class Log {
  readonly lines: string[] = [];

  note(line: string): void {
    this.lines.push(line);
  }

  /** Notes each of `events` of `emitter`, with its arguments. */
  watch(name: string, emitter: Emitter, events: string): void {
    for (const event of events.split(' ')) {
      emitter.on(event, (...args: unknown[]) => {
        const line = `${name} ${event}(${args.map(show).join(', ')})`;
        // How a stream is cut into chunks is nobody's promise.
        const last = event === 'data' ? this.lines.at(-1) : undefined;
        if (last?.startsWith(`${name} data(<`)) {
          this.lines[this.lines.length - 1] = last.replace('>)', line.slice(line.indexOf('<') + 1));
        } else this.note(line);
      });
    }
  }
}

const ports = new Map<number, string>();

/** Gives a port a name, since the two modules get different ones. */
export function namePort(port: number, name = 'PORT'): number {
  ports.set(port, name);
  return port;
}

function named(text: string): string {
  let result = text;
  for (const [port, name] of ports) result = result.replaceAll(String(port), name);
  return result;
}

/** An argument or a field as one comparable word. */
export function show(value: unknown): string {
  if (value instanceof Error) {
    const { name, message, code, errno, syscall, address, port } =
      value as NodeJS.ErrnoException & {
        address?: string;
        port?: number;
      };
    return named(JSON.stringify({ name, message, code, errno, syscall, address, port }));
  }
  if (Buffer.isBuffer(value)) return `<${value.toString('latin1')}>`;
  if (typeof value === 'function' || (typeof value === 'object' && value !== null)) {
    return Object.getPrototypeOf(value) === Object.prototype
      ? named(JSON.stringify(value))
      : 'object';
  }
  return named(JSON.stringify(value) ?? 'undefined');
}

/** The error that `call` throws, or what it gives. */
export function attempt(call: () => unknown): string {
  try {
    call();
    return 'no error';
  } catch (error) {
    return show(error);
  }
}

export type Scenario = (net: Net, log: Log) => Promise<void>;

async function run(net: Net, scenario: Scenario): Promise<string[]> {
  ports.clear();
  const log = new Log();
  await scenario(net, log);
  return [...log.lines];
}

/** A test that a scenario goes the same way on `node:net` and on ours, and that it saw something. */
export function both(title: string, scenario: Scenario): void {
  it(title, async () => {
    const expected = await run(node, scenario);
    const actual = await run(ours as unknown as Net, scenario);
    expect(expected.length).toBeGreaterThan(0);
    if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
  });
}

/** Resolves when `emitter` emits `event`; an 'error' is not special. */
export function until(emitter: Emitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...args: unknown[]) => resolve(args)));
}

/** Lets the event loop turn, which is often enough for what is under way on a loopback to arrive. */
export async function turns(count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export interface Served {
  server: node.Server;
  port: number;
}

/** A server on 127.0.0.1 that listens. */
export async function serve(
  net: Net,
  listener: (socket: node.Socket) => void,
  options: node.ServerOpts = {},
): Promise<Served> {
  const server = net.createServer(options, listener);
  server.listen(0, '127.0.0.1');
  await until(server, 'listening');
  const { port } = server.address() as node.AddressInfo;
  return { server, port: namePort(port) };
}

/** A client connected to an accepted socket, and the server, which accepts no other. */
export async function connected(
  net: Net,
  serverOptions: node.ServerOpts = {},
  clientOptions: Partial<node.TcpNetConnectOpts> = {},
): Promise<{ client: node.Socket; peer: node.Socket; server: node.Server; port: number }> {
  let accept!: (socket: node.Socket) => void;
  const accepted = new Promise<node.Socket>((resolve) => {
    accept = resolve;
  });
  const { server, port } = await serve(net, (socket) => accept(socket), serverOptions);
  const client = net.connect({ port, host: '127.0.0.1', ...clientOptions });
  const [peer] = await Promise.all([accepted, until(client, 'connect')]);
  server.close();
  return { client, peer, server, port };
}

/** A port where nobody listens. */
export async function freePort(net: Net): Promise<number> {
  const { server, port } = await serve(net, () => {});
  server.close();
  await until(server, 'close');
  return port;
}
