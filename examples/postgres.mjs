// A client of PostgreSQL: node postgres.mjs HOST PORT. Brings up a TUN device, so it needs root, or
// `npx tuntcp doctor` to tell what else will do. pg takes a function that makes a socket.
import pg from 'pg';
import { openTun, Stack } from 'tuntcp';

const [host = '10.7.0.1', port = '5432'] = process.argv.slice(2);
const link = openTun({ hostAddress: '10.7.0.1/24' });
const stack = new Stack({ link, address: '10.7.0.2/24' });

const client = new pg.Client({
  host,
  port: Number(port),
  user: 'postgres',
  stream: () => new stack.net.Socket(),
});
await client.connect();
const { rows } = await client.query('SELECT host(inet_client_addr()) AS me, 6 * 7 AS answer');
console.log(rows[0].me, rows[0].answer);
await client.end();
