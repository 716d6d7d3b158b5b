import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Namespace } from '../integration/support/namespace.js';
import { noTun, requireTun } from '../integration/support/require.js';
import type { Running } from '../integration/support/running.js';

/** The kernel's address in the namespace, and that of a process on our TCP. */
export const KERNEL = '10.7.0.1';
export const OURS = '10.7.0.2';
const DEVICE = 'tun0';
/** The Node.js that runs the programs. */
export const NODE = process.env.TUNTCP_TEST_NODE ?? process.execPath;

/** A namespace with a persistent TUN device, which the programs on our TCP take one after the other. */
export async function namespaceWithDevice(): Promise<Namespace> {
  const namespace = await Namespace.create();
  const script = `ip tuntap add dev ${DEVICE} mode tun && ip address add ${KERNEL}/24 dev ${DEVICE} &&
    ip link set ${DEVICE} up`;
  const { code, stderr } = await namespace.exec('sh', ['-c', script]);
  if (code !== 0) throw new Error(`no device: ${stderr}`);
  return namespace;
}

/** Starts `node PROGRAM ARGUMENTS`, on the kernel's TCP or on ours. */
export function startNode(
  namespace: Namespace,
  on: 'kernel' | 'ours',
  program: string,
  ...args: (string | number)[]
): Running {
  const rest = [program, ...args.map(String)];
  if (on === 'kernel') return namespace.spawn(NODE, rest);
  const variables = [`TUNTCP_DEVICE=${DEVICE}`, `TUNTCP_ADDRESS=${OURS}/24`];
  const register = ['--import', 'tuntcp/register'];
  return namespace.spawn('env', [...variables, NODE, ...register, ...rest]);
}

/** What a client has found out. It has to end by itself and without a complaint. */
export async function resultOf(running: Running): Promise<unknown> {
  running.stdin.end();
  const { code, stderr, text } = await running.end();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(text);
}

/** A program of `programs/`, in its three arrangements. `expected` gets the address of the client. */
export function describeProgram(name: string, expected: (peer: string) => unknown): void {
  const program = `test/apps/programs/${name}.mjs`;
  let namespace: Namespace;

  async function runBoth(serverOn: 'kernel' | 'ours', clientOn: 'kernel' | 'ours') {
    const host = serverOn === 'ours' ? OURS : KERNEL;
    const server = startNode(namespace, serverOn, program, 'server', host);
    const [, port] = await server.says(/^listening (\d+)$/m);
    const result = await resultOf(startNode(namespace, clientOn, program, 'client', host, port!));
    server.stdin.end();
    const { code, stderr } = await server.end();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return result;
  }

  describe(name, () => {
    beforeAll(async () => {
      if (noTun() === null) namespace = await namespaceWithDevice();
    });
    afterAll(() => namespace?.close());

    it('our server, a client on the kernel', async (context) => {
      requireTun(context);
      expect(await runBoth('ours', 'kernel')).toEqual(expected(KERNEL));
    });

    it('our client, a server on the kernel', async (context) => {
      requireTun(context);
      expect(await runBoth('kernel', 'ours')).toEqual(expected(OURS));
    });

    it('both on our loopback', async (context) => {
      requireTun(context);
      const running = startNode(namespace, 'ours', program, 'both', OURS);
      expect(await resultOf(running)).toEqual(expected(OURS));
    });
  });
}
