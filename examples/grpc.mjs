// gRPC, both sides. @grpc/grpc-js has no place to hand in a socket, so the whole process is switched:
//     node --import tuntcp/register grpc.mjs
import grpc from '@grpc/grpc-js';

const toBytes = (value) => Buffer.from(JSON.stringify(value));
const fromBytes = (bytes) => JSON.parse(bytes);
const service = {
  Greet: {
    path: '/Greeter/Greet',
    requestStream: false,
    responseStream: false,
    requestSerialize: toBytes,
    requestDeserialize: fromBytes,
    responseSerialize: toBytes,
    responseDeserialize: fromBytes,
  },
};

const server = new grpc.Server();
server.addService(service, {
  Greet: ({ request }, done) => done(null, { greeting: `hello ${request.name}` }),
});
const insecure = grpc.ServerCredentials.createInsecure();
server.bindAsync('127.0.0.1:0', insecure, (error, port) => {
  if (error) throw error;
  const Greeter = grpc.makeGenericClientConstructor(service, 'Greeter');
  const client = new Greeter(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  client.Greet({ name: 'world' }, (failure, answer) => {
    console.log(failure?.message ?? answer.greeting);
    client.close();
    server.forceShutdown();
  });
});
