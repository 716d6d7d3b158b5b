import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import ssh2 from 'ssh2';
import { drive, listen } from './drive.mjs';

const { Client, Server, utils } = ssh2;
const PASSWORD = 'only for this test';

function serve(session, { ip }) {
  session.on('exec', (accept, _reject, { command }) => {
    const channel = accept();
    if (command === 'cat') {
      channel.on('data', (chunk) => channel.write(chunk));
      channel.on('end', () => {
        channel.exit(0);
        channel.end();
      });
      return;
    }
    channel.write(`${ip} said ${command}\n`);
    channel.stderr.write('and this is stderr\n');
    channel.exit(7);
    channel.end();
  });
}

function server(host) {
  const { private: key } = utils.generateKeyPairSync('ed25519');
  const shell = new Server({ hostKeys: [key] }, (client, info) => {
    client.on('error', () => {});
    client.on('authentication', (context) => {
      const { method, username, password } = context;
      const right = method === 'password' && password === PASSWORD;
      if (right || (method === 'none' && username === 'guest')) context.accept();
      else context.reject(['password']);
    });
    client.on('ready', () => client.on('session', (accept) => serve(accept(), info)));
  });
  return listen(shell, host);
}

async function connect(to, password = PASSWORD) {
  const client = new Client();
  client.connect({ ...to, username: 'somebody', password });
  await once(client, 'ready');
  return client;
}

function exec(client, command) {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

async function client(host, port) {
  const to = { host, port };
  const connection = await connect(to);
  const channel = await exec(connection, 'hello');
  const closed = once(channel, 'close');
  const [said, complained] = await Promise.all([text(channel), text(channel.stderr)]);
  const [status] = await closed;
  const cat = await exec(connection, 'cat');
  const sent = 'a line that comes back\n'.repeat(40_000);
  cat.end(sent);
  const back = await text(cat);
  connection.end();
  await once(connection, 'close');
  const refused = await connect(to, 'wrong').catch(({ level }) => level);
  return { said, complained, status, back: back === sent, refused };
}

await drive({ server, client });
