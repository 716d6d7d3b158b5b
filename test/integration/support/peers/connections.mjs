// Opens many connections to an echo service at once, and ends them when each has its line back.
// Arguments: address, port, how many. Prints { connected, echoed, ended, errors }.
import { connect } from 'node:net';

const [address, port, count] = process.argv.slice(2);
const result = { connected: 0, echoed: 0, ended: 0, errors: {} };
const sockets = [];
let closed = 0;

for (let i = 0; i < Number(count); i++) {
  const line = `this is connection ${i}\n`;
  const socket = connect({ host: address, port: Number(port), allowHalfOpen: true });
  let text = '';
  socket.setEncoding('latin1');
  socket.on('connect', () => {
    result.connected++;
    socket.write(line);
  });
  socket.on('data', (chunk) => {
    text += chunk;
    if (text !== line) return;
    result.echoed++;
    if (result.echoed === Number(count)) for (const one of sockets) one.end();
  });
  socket.on('end', () => result.ended++);
  socket.on('error', ({ code }) => {
    result.errors[code] = (result.errors[code] ?? 0) + 1;
  });
  socket.on('close', () => {
    if (++closed === Number(count)) console.log(JSON.stringify(result));
  });
  sockets.push(socket);
}
