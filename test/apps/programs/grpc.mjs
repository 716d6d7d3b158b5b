import { once } from 'node:events';
import grpc from '@grpc/grpc-js';
import * as certificates from './certificates.mjs';
import { drive } from './drive.mjs';

const serialize = (value) => Buffer.from(JSON.stringify(value));
const deserialize = (bytes) => JSON.parse(bytes);
const method = (path, requestStream, responseStream) => ({
  path: `/Test/${path}`,
  requestStream,
  responseStream,
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
});
const service = {
  Length: method('Length', false, false),
  Peer: method('Peer', false, false),
  Count: method('Count', false, true),
  Chat: method('Chat', true, true),
  Never: method('Never', false, false),
};
const Client = grpc.makeGenericClientConstructor(service, 'Test');

const implementation = {
  Length: ({ request }, done) => done(null, request.length),
  Peer: (call, done) => done(null, call.getPeer().replace(/:\d+$/, '')),
  Count(call) {
    for (let i = 0; i < call.request; i++) call.write(i);
    call.end();
  },
  Chat(call) {
    call.on('data', (said) => call.write(`${said}?`));
    call.on('end', () => call.end());
  },
  Never() {},
};

async function server(host) {
  const { cert, key } = certificates.server;
  const server = new grpc.Server();
  server.addService(service, implementation);
  const pairs = [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }];
  const credentials = grpc.ServerCredentials.createSsl(null, pairs);
  const port = await new Promise((resolve, reject) => {
    server.bindAsync(`${host}:0`, credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

function unary(client, name, request, deadline) {
  return new Promise((resolve) => {
    const options = deadline === undefined ? {} : { deadline };
    client[name](request, options, (error, value) =>
      resolve(error ? grpc.status[error.code] : value),
    );
  });
}

async function client(host, port) {
  const credentials = grpc.credentials.createSsl(Buffer.from(certificates.ca));
  const named = { 'grpc.ssl_target_name_override': 'tuntcp.test' };
  const client = new Client(`${host}:${port}`, credentials, named);
  const counted = [];
  for await (const number of client.Count(5)) counted.push(number);
  const chat = client.Chat();
  const said = [];
  for (const each of ['one', 'two']) {
    chat.write(each);
    said.push((await once(chat, 'data'))[0]);
  }
  chat.end();
  await once(chat.resume(), 'end');
  const result = {
    peer: await unary(client, 'Peer', 'who am I'),
    length: await unary(client, 'Length', 'z'.repeat(1_000_000)),
    counted,
    said,
    never: await unary(client, 'Never', 'x', Date.now() + 100),
  };
  client.close();
  return result;
}

await drive({ server, client });
