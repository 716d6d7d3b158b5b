// Connections from a stack on a TUN device to where its host forwards, and to where nobody answers.
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { openTun, Stack } from 'tuntcp';

const [device, address, there, port, nowhere, silent] = process.argv.slice(2);
const SYN_TIMEOUT = 1_000;

async function failure(stack, host) {
  const began = performance.now();
  const [{ code, message }] = await once(stack.net.connect(80, host), 'error');
  return { code, message, waited: performance.now() - began >= SYN_TIMEOUT };
}

const tcp = { synTimeout: SYN_TIMEOUT, rtoInitial: 200 };
const stack = new Stack({ link: openTun({ name: device }), address, tcp });
const alone = new Stack();
console.log(
  JSON.stringify({
    said: await text(stack.net.connect(port, there).end('from our TCP')),
    noRoute: await failure(stack, nowhere),
    noAnswer: await failure(stack, silent),
    noLink: await failure(alone, there),
  }),
);
stack.close();
