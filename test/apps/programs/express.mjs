import { once } from 'node:events';
import express from 'express';
import { drive } from './drive.mjs';

const app = express();
app.use(express.json());
app.get('/hello/:name', ({ params, query, ip }, response) => {
  response.json({ hello: params.name, query, ip });
});
app.post('/sum', ({ body }, response) => {
  response.send(String(body.numbers.reduce((sum, each) => sum + each, 0)));
});
app.get('/file', (_request, response) => response.sendFile(import.meta.filename));
app.get('/fails', () => {
  throw new Error('on purpose');
});
app.use((error, _request, response, _next) => response.status(500).send(error.message));

async function server(host) {
  const listening = app.listen(0, host);
  await once(listening, 'listening');
  const close = () => new Promise((resolve) => listening.close(resolve));
  return { port: listening.address().port, close };
}

async function client(host, port) {
  const url = `http://${host}:${port}`;
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ numbers: [1, 2, 3] });
  const sum = await fetch(`${url}/sum`, { method: 'POST', headers, body });
  const fails = await fetch(`${url}/fails`);
  const file = await fetch(`${url}/file`);
  return {
    hello: await (await fetch(`${url}/hello/world?a=1`)).json(),
    sum: await sum.text(),
    fails: { status: fails.status, text: await fails.text() },
    file: (await file.text()).startsWith('import { once }'),
    missing: (await fetch(`${url}/nowhere`)).status,
  };
}

await drive({ server, client });
