// A server on our own TCP that resets each connection when it has heard something, and says what
// became of connections that the peer reset. Arguments: port. Prints `ready`, then a line for each.
import { openTun } from '../../../../dist/link/tun.js';
import { Stack } from '../../../../dist/net/stack.js';

const [port] = process.argv.slice(2);
const link = openTun({ hostAddress: '10.7.0.1/24' });
const stack = new Stack({ link, address: '10.7.0.2/24' });
stack.net
  .createServer((socket) => {
    socket.on('error', ({ code }) => console.log(`error ${code}`));
    socket.on('data', (data) => {
      if (String(data).startsWith('hello')) socket.resetAndDestroy();
      else socket.write(data);
    });
  })
  .listen(Number(port), () => console.log('ready'));
