// Connects, sends a line, and waits for the end of the connection.
// Arguments: address, port. Prints { received, error } with the code of the error, or null.
import { connect } from 'node:net';

const [address, port] = process.argv.slice(2);
const result = { received: '', error: null };
const socket = connect(Number(port), address, () => socket.write('hello\n'));
socket.on('data', (chunk) => {
  result.received += chunk;
});
socket.on('error', ({ code }) => {
  result.error = code;
});
socket.on('close', () => console.log(JSON.stringify(result)));
