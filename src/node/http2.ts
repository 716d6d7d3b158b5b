import type http2 from 'node:http2';
import type { Socket as NodeSocket } from 'node:net';
import { reachThroughStreams } from './stream-handle.js';
import { type Connector, connectTls } from './tls.js';

type Options = http2.ClientSessionOptions | http2.SecureClientSessionOptions;

/** `http2.connect(authority, options)` over a socket of `net`: `http:` in the clear, `https:` by TLS. */
export function connectHttp2(
  net: Connector,
  authority: string | URL,
  options: Options = {},
): http2.ClientHttp2Session {
  reachThroughStreams();
  return process.getBuiltinModule('node:http2').connect(authority, {
    ...options,
    createConnection: (url) => {
      const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
      const secure = url.protocol === 'https:';
      const port = Number(url.port) || (secure ? 443 : 80);
      if (!secure) return net.connect({ host, port }) as unknown as NodeSocket;
      return connectTls(net, { ALPNProtocols: ['h2'], servername: host, ...options, host, port });
    },
  });
}
