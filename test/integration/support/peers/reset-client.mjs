// Connects, sends a line, and resets the connection when the first bytes come back.
// Arguments: address, port. Prints { received }.
import { connect } from 'node:net';

const [address, port] = process.argv.slice(2);
const socket = connect(Number(port), address, () => socket.write('again\n'));
socket.once('data', (chunk) => {
  socket.resetAndDestroy();
  console.log(JSON.stringify({ received: chunk.toString() }));
});
