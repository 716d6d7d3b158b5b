// An SSH server and its client, on the loopback of a stack. ssh2 takes sockets on both sides.
import ssh2 from 'ssh2';
import { Stack } from 'tuntcp';

const stack = new Stack();
const { private: key } = ssh2.utils.generateKeyPairSync('ed25519');

const shell = new ssh2.Server({ hostKeys: [key] }, (client) => {
  client.on('authentication', (context) => context.accept());
  client.on('session', (accept) => {
    accept().on('exec', (acceptCommand, _reject, { command }) => {
      const channel = acceptCommand();
      channel.write(`this is not a shell, but you said: ${command}\n`);
      channel.exit(0);
      channel.end();
    });
  });
});
const server = stack.net.createServer((socket) => shell.injectSocket(socket)).listen(22);

const client = new ssh2.Client();
client.connect({ sock: stack.net.connect(22), username: 'me' });
client.on('ready', () => {
  client.exec('uname -a', (error, channel) => {
    if (error) throw error;
    channel.pipe(process.stdout);
    channel.on('close', () => client.end());
  });
});
client.on('close', () => server.close());
