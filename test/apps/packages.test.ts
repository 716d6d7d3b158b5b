import { expect, it } from 'vitest';
import { requireTun } from '../integration/support/require.js';
import { describeProgram, KERNEL, namespaceWithDevice, OURS, startNode } from './arrangements.js';

describeProgram('undici', (peer) => ({
  first: { statusCode: 200, text: `${peer} 1.1 /one` },
  second: { statusCode: 200, text: `${peer} 2.0 /two` },
  sameBody: true,
  pipelined: `${peer} 1.1 /7`,
  webSocket: { data: 'over undici!', code: 1000 },
  untrusted: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
}));

describeProgram('ws', (peer) => ({
  hello: `hello ${peer}`,
  echoed: true,
  deflated: 'permessage-deflate',
  pong: 'are you there',
  closed: { code: 4001, reason: 'as you wish' },
}));

describeProgram('express', (peer) => ({
  hello: { hello: 'world', query: { a: '1' }, ip: peer },
  sum: '6',
  fails: { status: 500, text: 'on purpose' },
  file: true,
  missing: 404,
}));

describeProgram('grpc', (peer) => ({
  peer,
  length: 1_000_000,
  counted: [0, 1, 2, 3, 4],
  said: ['one?', 'two?'],
  never: 'DEADLINE_EXCEEDED',
}));

describeProgram('ssh2', (peer) => ({
  said: `${peer} said hello\n`,
  complained: 'and this is stderr\n',
  status: 7,
  back: true,
  refused: 'client-authentication',
}));

it('ssh of OpenSSH is served by ssh2 on our TCP', async (context) => {
  requireTun(context, 'ssh');
  const namespace = await namespaceWithDevice();
  try {
    const server = startNode(namespace, 'ours', 'test/apps/programs/ssh2.mjs', 'server', OURS);
    const [, port] = await server.says(/^listening (\d+)$/m);
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
    const args = options.flatMap((option) => ['-o', option]);
    const ssh = await namespace.exec('ssh', [
      '-F',
      'none',
      ...args,
      '-p',
      port!,
      `guest@${OURS}`,
      'hi',
    ]);
    expect(ssh).toMatchObject({
      code: 7,
      text: `${KERNEL} said hi\n`,
      stderr: 'and this is stderr\n',
    });
  } finally {
    await namespace.close();
  }
});
