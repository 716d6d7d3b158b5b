import { describe, expect, it } from 'vitest';
import { withNamespace } from '../integration/support/namespace.js';
import { requireNamespace, requireTun } from '../integration/support/require.js';
import { NODE, namespaceWithDevice, OURS, resultOf, startNode } from './arrangements.js';

const REGISTER = ['--import', 'tuntcp/register'];

describe('tuntcp/register', () => {
  it('is what every way to node:net leads to, and leaves the rest to the kernel', async (context) => {
    requireNamespace(context);
    await withNamespace(async (namespace) => {
      const program = [...REGISTER, 'test/apps/programs/modules.mjs'];
      expect(await resultOf(namespace.spawn(NODE, program))).toEqual({
        ours: [true, true, true, true, true, true, true],
        names: true,
        said: 'hello',
        instances: [true, true, true, true, true, false],
        unixSocket: 'by a unix socket',
        ourUnixSocket: ['by another', 'ENOENT'],
        bareTlsSocket: 'ERR_METHOD_NOT_IMPLEMENTED',
        inWorker: [true, 'ECONNREFUSED'],
        clusterWorker: { failed: true, says: true },
      });
    });
  });

  it('names a variable that makes no sense', async (context) => {
    requireNamespace(context);
    await withNamespace(async (namespace) => {
      const variables = ['TUNTCP_DEVICE=tun0', 'TUNTCP_MTU=9'];
      const { code, stderr } = await namespace.exec('env', [
        ...variables,
        NODE,
        ...REGISTER,
        '-e',
        '',
      ]);
      expect(code).toBe(1);
      expect(stderr).toContain("RangeError: TUNTCP_MTU must be 576 to 65535, not '9'");
    });
  });

  it('says what to do when the device cannot be had', async (context) => {
    requireTun(context);
    const namespace = await namespaceWithDevice();
    try {
      const program = `require('net').connect(80, '10.7.0.1')`;
      const args = ['TUNTCP_DEVICE=lo', NODE, ...REGISTER, '-e', program];
      const { code, stderr } = await namespace.exec('env', args);
      expect(code).toBe(1);
      expect(stderr).toMatch(/Error: .*\blo\b/);
    } finally {
      await namespace.close();
    }
  });

  it('ends connections when the program exits', async (context) => {
    requireTun(context);
    const namespace = await namespaceWithDevice();
    try {
      const server = startNode(namespace, 'ours', 'test/apps/programs/leaves.mjs', OURS);
      const [, port] = await server.says(/^listening (\d+)$/m);
      const program = `require('net').connect(${port}, '${OURS}').on('end', () => console.log(' END'))
        .on('data', (chunk) => process.stdout.write(chunk)).write('it')`;
      const client = await namespace.exec(NODE, ['-e', program]);
      expect(client).toMatchObject({ code: 0, text: 'the last word on it END\n', stderr: '' });
      expect((await server.end()).code).toBe(3);
    } finally {
      await namespace.close();
    }
  });
});
