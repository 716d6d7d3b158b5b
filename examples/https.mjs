// HTTPS on the loopback of a stack, with a certificate that a CA of our own has signed.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { createHttpsAgent, listen, Stack } from 'tuntcp';

const pem = (name) => readFileSync(new URL(`../test/apps/tls/${name}.pem`, import.meta.url));
const stack = new Stack();

const server = https.createServer({ cert: pem('server'), key: pem('server-key') }, (_, response) =>
  response.end('nobody else has read this\n'),
);
listen(stack.net, server, 443);

const agent = createHttpsAgent(stack.net, { ca: pem('ca') });
https.get('https://localhost/', { agent }, async (response) => {
  console.log(response.socket.getProtocol(), (await text(response)).trim());
  server.close();
});
