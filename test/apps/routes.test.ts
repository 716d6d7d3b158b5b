import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Namespace } from '../integration/support/namespace.js';
import { noTun, requireTun } from '../integration/support/require.js';
import type { Running } from '../integration/support/running.js';
import { NODE, namespaceWithDevice, OURS, resultOf, startNode } from './arrangements.js';

/** Another host, behind a cable to the namespace whose kernel forwards between that and the device. */
const THERE = '10.9.0.2';
const BETWEEN = '10.9.0.1';
/** The kernel knows no way to it. */
const NOWHERE = '10.99.0.1';
/** The kernel forwards to the other host, which drops it. */
const SILENT = '10.98.0.1';

let namespace: Namespace;
let there: { enter: string[] };

async function sh(script: string): Promise<void> {
  const { code, stderr } = await namespace.exec('sh', ['-ec', script]);
  if (code !== 0) throw new Error(`${script} failed: ${stderr}`);
}

beforeAll(async () => {
  if (noTun() !== null) return;
  namespace = await namespaceWithDevice();
  const holder = namespace.spawn('unshare', ['-n', 'sh', '-c', 'echo $$; exec cat']);
  const [pid] = await holder.says(/^\d+$/m);
  const enter = ['-t', pid, '-n'];
  await sh(`
    ip link add veth0 type veth peer name veth1 netns ${pid}
    ip address add ${BETWEEN}/24 dev veth0
    ip link set veth0 up
    ip route add ${SILENT}/32 via ${THERE}
    echo 1 >/proc/sys/net/ipv4/ip_forward
    nsenter ${enter.join(' ')} sh -ec '
      ip link set lo up
      ip address add ${THERE}/24 dev veth1
      ip link set veth1 up
      ip route add default via ${BETWEEN}'`);
  there = { enter };
});
afterAll(() => namespace?.close());

/** Starts a program on the kernel of the other host. */
function startThere(...args: string[]): Running {
  return namespace.spawn('nsenter', [...there.enter, NODE, ...args]);
}

describe('a host behind a forwarding kernel', () => {
  it('is reached by our clients, and what is not there fails as it should', async (context) => {
    requireTun(context);
    const echo = `require('node:net')
      .createServer({ allowHalfOpen: true }, (socket) => {
        socket.write(socket.remoteAddress + ' said: ');
        socket.pipe(socket);
      })
      .listen(0, '${THERE}', function () { console.log('listening ' + this.address().port); })`;
    const [, port] = await startThere('-e', echo).says(/^listening (\d+)$/m);
    const program = 'test/apps/programs/routes.mjs';
    const args = ['tun0', `${OURS}/24`, THERE, port!, NOWHERE, SILENT];
    const running = namespace.spawn(NODE, [program, ...args]);
    expect(await resultOf(running)).toEqual({
      said: `${OURS} said: from our TCP`,
      // The forwarding kernel says so at once, but that may pass (RFC 9293 MUST-56): the SYN goes on.
      noRoute: { code: 'ENETUNREACH', message: `connect ENETUNREACH ${NOWHERE}:80`, waited: true },
      noAnswer: { code: 'ETIMEDOUT', message: `connect ETIMEDOUT ${SILENT}:80`, waited: true },
      noLink: {
        code: 'ENETUNREACH',
        message: `connect ENETUNREACH ${THERE}:80 - Local (0.0.0.0:0)`,
        waited: false,
      },
    });
  });

  it('reaches our servers', async (context) => {
    requireTun(context);
    const program = 'test/apps/programs/fetch.mjs';
    const server = startNode(namespace, 'ours', program, 'server', OURS);
    const [, port] = await server.says(/^listening (\d+)$/m);
    const client = await resultOf(startThere(program, 'client', OURS, port!));
    expect(client).toMatchObject({ peer: THERE, sameBody: true });
    server.stdin.end();
    expect((await server.end()).code).toBe(0);
  });
});
