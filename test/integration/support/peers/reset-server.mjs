// A server on our own TCP that resets each connection when it has heard something, and says what
// became of connections that the peer reset. Arguments: port. Prints `ready`, then a line for each.
// Writes its packets to the file TUNTCP_TEST_PCAP.
import { captureLink } from '../../../../dist/link/capture.js';
import { CaptureFile } from '../../../../dist/link/capture-file.js';
import { openTun } from '../../../../dist/link/tun.js';
import { Stack } from '../../../../dist/net/stack.js';

const [port] = process.argv.slice(2);
const tun = openTun({ hostAddress: '10.7.0.1/24' });
const link = captureLink(tun, new CaptureFile(process.env.TUNTCP_TEST_PCAP));
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
