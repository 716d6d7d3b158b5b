import { beforeEach, describe, expect, it } from 'vitest';
import { MiB, sha256Of, source } from './support/bytes.js';
import { withNamespace } from './support/namespace.js';
import { requireTun } from './support/require.js';
import { SERVER } from './support/serving.js';

/** ms for what is sent on a busy machine. */
const LONG = 60_000;
const SIZE = 64 * MiB + 1;

beforeEach((context) => requireTun(context, 'nc'));

describe('ECN with the kernel (RFC 3168)', () => {
  for (const [control, pacing] of [
    ['cubic', 0],
    ['cubic', 1],
    ['bbr', 0],
  ] as const) {
    it(`${control}${pacing ? ', paced' : ''}: both sides slow down by marks, and nothing is taken for lost`, {
      timeout: LONG,
    }, async () => {
      await withNamespace(async (namespace) => {
        // The kernel asks for ECN when it connects.
        const setting = 'echo 1 > /proc/sys/net/ipv4/tcp_ecn';
        expect(await namespace.exec('sh', ['-c', setting])).toMatchObject({ code: 0 });
        const server = namespace.startStackPeer('marked-echo', [9000, 20, control, pacing]);
        await server.says(/ready/);
        const echo = await namespace.exec('nc', ['-N', SERVER, '9000'], {
          input: source(SIZE),
          digest: true,
          timeout: LONG,
        });
        expect(echo).toMatchObject({ code: 0, bytes: SIZE, sha256: sha256Of(SIZE) });
        const said = JSON.parse((await server.says(/\{.*\}/))[0]);
        expect(said.ecn).toBe(true);
        expect(said.counters.tcpInCeSegs).toBeGreaterThan(0);
        expect(said.counters.tcpEcnReductions).toBeGreaterThan(0);
        // A probe for the tail of a flight may go out when the machine is busy: that is no loss.
        expect(said.counters.tcpFastRetransmits).toBe(0);
        // CWR in front of a burst that the kernel takes apart or not, as it likes.
        expect(said.cwr).toBeGreaterThan(0);
      });
    });
  }
});
