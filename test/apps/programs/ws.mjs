import { once } from 'node:events';
import http from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { drive, listen } from './drive.mjs';

async function server(host) {
  const web = http.createServer();
  const sockets = new WebSocketServer({ server: web, perMessageDeflate: true });
  sockets.on('connection', (socket, request) => {
    socket.send(`hello ${request.socket.remoteAddress}`);
    socket.on('message', (data, isBinary) => {
      if (String(data) === 'close') socket.close(4001, 'as you wish');
      else socket.send(data, { binary: isBinary });
    });
  });
  return listen(web, host);
}

async function client(host, port) {
  const socket = new WebSocket(`ws://${host}:${port}/`);
  const [hello] = await once(socket, 'message');
  const sent = Buffer.alloc(2_000_000, 'binary ');
  socket.send(sent);
  const [data, isBinary] = await once(socket, 'message');
  socket.ping('are you there');
  const [pong] = await once(socket, 'pong');
  const closing = once(socket, 'close');
  socket.send('close');
  const [code, reason] = await closing;
  return {
    hello: String(hello),
    echoed: isBinary && sent.equals(data),
    deflated: socket.extensions,
    pong: String(pong),
    closed: { code, reason: String(reason) },
  };
}

await drive({ server, client });
