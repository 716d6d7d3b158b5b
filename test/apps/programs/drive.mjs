// Runs one of these programs in the role that its arguments name: `server HOST`, `client HOST PORT`
// or `both HOST`. None of them knows of tuntcp. What the client has found out is printed as JSON; all
// of them end by themselves, which shows that nothing is left open.
import { once } from 'node:events';

/**
 * @param {object} program
 * @param {(host: string) => Promise<{ port: number, close: () => unknown }>} program.server
 * @param {(host: string, port: number) => Promise<unknown>} program.client
 */
export async function drive({ server, client }) {
  const [role, host, port] = process.argv.slice(2);
  if (role === 'client') return report(await client(host, Number(port)));
  const running = await server(host);
  if (role === 'server') {
    console.log(`listening ${running.port}`);
    await once(process.stdin.resume(), 'end');
  } else {
    report(await client(host, running.port));
  }
  await running.close();
}

function report(result) {
  console.log(JSON.stringify(result));
}

/** Listens on any port; `server` is of whatever kind. */
export async function listen(server, host) {
  server.listen(0, host);
  await once(server, 'listening');
  return { port: server.address().port, close: () => close(server) };
}

function close(server) {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
  });
}
