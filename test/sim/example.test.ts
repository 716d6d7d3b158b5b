import { expect, test } from 'vitest';
import { faultsLink, memoryPair, Stack, VirtualRuntime } from '../../src/index.js';

test('a download gets through loss, and 10 s without a path', async () => {
  const runtime = new VirtualRuntime(1);
  const [near, far] = memoryPair({ runtime });
  const faults = faultsLink(near, {
    runtime,
    seed: 1,
    both: { delay: 20, loss: 0.02 },
    down: { rate: 10e6, queue: { packets: 50 } },
    // The first SYN is lost, and so is the third data segment of the server.
    rules: [{ flags: 'S' }, { direction: 'down', data: true, nth: 3 }],
    schedule: [
      { at: 1500, both: { dead: true } },
      { at: 11_500, both: { dead: false } },
    ],
  });
  const client = new Stack({ runtime, link: faults, address: '10.0.0.1/24' });
  const server = new Stack({ runtime, link: far, address: '10.0.0.2/24' });
  server.net.createServer((socket) => socket.end(Buffer.alloc(1_000_000))).listen(80);

  let received = 0;
  let ended = false;
  const socket = client.net.connect(80, '10.0.0.2');
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.on('end', () => {
    ended = true;
  });
  await runtime.runAsync(() => ended, 120_000);

  expect(received).toBe(1_000_000);
  expect(runtime.now()).toBeGreaterThan(11_500);
  expect(faults.counters('down').lost.rule).toBe(1);
});
