// fetch() whose connections are ours: undici takes a function that makes them.
import http from 'node:http';
import { createUndiciConnector, listen, Stack } from 'tuntcp';
import { Agent, fetch } from 'undici';

const stack = new Stack();
const server = http.createServer((request, response) => request.pipe(response));
listen(stack.net, server, 80);

const dispatcher = new Agent({ connect: createUndiciConnector(stack.net) });
const response = await fetch('http://localhost/', { method: 'POST', body: 'echoed', dispatcher });
console.log(response.status, await response.text());
await dispatcher.close();
server.close();
