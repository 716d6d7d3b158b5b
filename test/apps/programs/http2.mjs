import { once } from 'node:events';
import http2 from 'node:http2';
import { buffer, text } from 'node:stream/consumers';
import * as certificates from './certificates.mjs';
import { drive, listen } from './drive.mjs';

const { ca } = certificates;

function answer(stream, headers) {
  const { session } = stream;
  if (headers[':method'] === 'POST') {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-done': 'yes' }));
    return stream.pipe(stream);
  }
  const { alpnProtocol, encrypted, socket } = session;
  stream.respond({ ':status': 200 });
  return stream.end(
    JSON.stringify({ alpnProtocol, encrypted: encrypted ?? false, peer: socket.remoteAddress }),
  );
}

async function server(host) {
  const plain = http2.createServer().on('stream', answer);
  const secure = http2.createSecureServer(certificates.server).on('stream', answer);
  const [first, second] = [await listen(plain, host), await listen(secure, host)];
  // A client is told one port, and finds the other by asking.
  plain.on('stream', (stream, headers) => {
    if (headers[':path'] === '/secure') stream.session.altsvc?.(String(second.port), stream.id);
  });
  return { port: first.port, close: () => Promise.all([first.close(), second.close()]) };
}

async function over(authority, options) {
  const session = http2.connect(authority, options);
  const altsvc = once(session, 'altsvc').catch(() => []);
  const see = session.request({ ':path': '/secure' });
  const seen = JSON.parse(await text(see));
  const bodies = Array.from({ length: 5 }, (_, i) => Buffer.alloc(300_000 + i, `body ${i}`));
  let trailers = 0;
  const echoed = await Promise.all(
    bodies.map(async (body) => {
      const stream = session.request({ ':method': 'POST' });
      stream.on('trailers', (headers) => {
        if (headers['x-done'] === 'yes') trailers++;
      });
      stream.end(body);
      return body.equals(await buffer(stream));
    }),
  );
  const pinged = await new Promise((resolve) => {
    session.ping(Buffer.from('8 bytes!'), (_error, _time, payload) => resolve(String(payload)));
  });
  const [port] = authority.startsWith('http:') ? await altsvc : [];
  session.close();
  await once(session, 'close');
  return { result: { seen, echoed, trailers, pinged }, port };
}

async function client(host, port) {
  const plain = await over(`http://${host}:${port}`);
  const secure = await over(`https://${host}:${plain.port}`, { ca });
  return { plain: plain.result, secure: secure.result };
}

await drive({ server, client });
