// A WebSocket and its server, on the loopback of a stack. ws takes an http.Server and an http.Agent.
import http from 'node:http';
import { createHttpAgent, listen, Stack } from 'tuntcp';
import { WebSocket, WebSocketServer } from 'ws';

const stack = new Stack();
const server = http.createServer();
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (data) => socket.send(`you said ${data}`));
});
listen(stack.net, server, 80);

const socket = new WebSocket('ws://localhost/', { agent: createHttpAgent(stack.net) });
socket.on('open', () => socket.send('hello'));
socket.on('message', (data) => {
  console.log(String(data));
  socket.close();
});
socket.on('close', () => server.close());
