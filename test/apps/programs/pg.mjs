import { once } from 'node:events';
import pg from 'pg';
import { drive } from './drive.mjs';

async function transaction(pool) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('CREATE TABLE people (id serial, name text)');
    const text = 'INSERT INTO people (name) SELECT $1 || n FROM generate_series(1, $2) AS n';
    await client.query(text, ['person ', 20_000]);
    await client.query('COMMIT');
  } finally {
    client.release();
  }
  const { rows, rowCount } = await pool.query('SELECT * FROM people ORDER BY id');
  return { rowCount, last: rows.at(-1) };
}

async function notified(options) {
  const client = new pg.Client(options);
  await client.connect();
  await client.query('LISTEN news');
  const heard = once(client, 'notification');
  await client.query("SELECT pg_notify('news', 'from here')");
  const [{ channel, payload }] = await heard;
  await client.end();
  return { channel, payload };
}

async function client(host, port) {
  const options = { host, port, user: 'postgres', database: 'postgres' };
  const pool = new pg.Pool({ ...options, max: 3 });
  const peer = await pool.query('SELECT host(inet_client_addr()) AS peer');
  const large = 'q'.repeat(2_000_000);
  const { rows } = await pool.query('SELECT length($1) AS length, md5($1) AS sum', [large]);
  const parallel = await Promise.all(
    Array.from({ length: 10 }, (_, i) => pool.query('SELECT $1::int * 2 AS twice', [i])),
  );
  const result = {
    ...peer.rows[0],
    large: rows[0],
    parallel: parallel.map((each) => each.rows[0].twice),
    transaction: await transaction(pool),
    notified: await notified(options),
    connections: pool.totalCount,
    wrong: await pool.query('SELECT nothing').catch(({ code }) => code),
  };
  await pool.end();
  return result;
}

await drive({ client });
