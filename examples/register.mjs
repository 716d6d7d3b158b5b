// A program that has never heard of tuntcp: express, and fetch, as they are. By the kernel:
//     node register.mjs
// and by a TCP of its own, here with only its loopback:
//     node --import tuntcp/register register.mjs
import net from 'node:net';
import express from 'express';

const app = express();
app.get('/', ({ socket }, response) => {
  // Our sockets can tell more about themselves than the kernel's.
  const { state, congestionControl } = socket.info?.() ?? { state: 'known to the kernel alone' };
  response.json({ state, congestionControl, isSocket: socket instanceof net.Socket });
});

const server = app.listen(0, '127.0.0.1', async () => {
  const response = await fetch(`http://127.0.0.1:${server.address().port}/`);
  console.log(await response.text());
  server.close();
  server.closeAllConnections();
});
