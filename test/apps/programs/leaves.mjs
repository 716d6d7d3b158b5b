// Serves one request, and leaves by process.exit() within it, with a connection still open.
import net from 'node:net';

const server = net.createServer((socket) => {
  socket.on('data', (chunk) => {
    socket.write(`the last word on ${chunk}`);
    process.nextTick(() => process.exit(3));
  });
});
server.listen(0, process.argv[2], () => console.log(`listening ${server.address().port}`));
