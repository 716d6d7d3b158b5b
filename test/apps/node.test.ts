import { describeProgram } from './arrangements.js';

describeProgram('http', (peer) => ({
  peer,
  keepAlive: { texts: ['GET /a', 'GET /b', 'GET /c'], sameConnection: true, free: 1 },
  connectionsOfAgent: 2,
  pipelined: ['GET /1', 'GET /2', 'GET /3'],
  chunked: { right: true, trailers: { 'x-length': 'true' } },
  continued: { continued: true, status: 200 },
  refusedToContinue: { continued: false, status: 417 },
  upgraded: { status: 101, echoed: 'spoken over the socket itself' },
  refused: { code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1' },
}));

describeProgram('https', (peer) => {
  const common = { servername: 'tuntcp.test', family: 'IPv4', hasPort: true, peer, reused: false };
  return {
    plain: { ...common, authorized: false, client: null },
    withCertificate: { ...common, authorized: true, client: 'client' },
    echoed: true,
    untrusted: 'SELF_SIGNED_CERT_IN_CHAIN',
    otherName: 'ERR_TLS_CERT_ALTNAME_INVALID',
    sessions: [false, true],
    keepAlive: { connections: 1, hasPort: true },
  };
});

describeProgram('tls', (peer) => ({
  greeted: {
    said: `hello ${peer}`,
    alpn: 'greet',
    authorized: true,
    events: ['connect', 'secureConnect', 'end', 'close'],
  },
  halfClosed: { length: 300_000, family: 'IPv4' },
  renegotiated: { version: 'TLSv1.2', said: 'after it' },
  cut: 'h',
  noProtocol: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  untrusted: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  refused: 'ECONNREFUSED',
  byHand: 'by hand',
}));

describeProgram('http2', (peer) => {
  const common = { echoed: [true, true, true, true, true], trailers: 5, pinged: '8 bytes!' };
  return {
    plain: { ...common, seen: { alpnProtocol: 'h2c', encrypted: false, peer } },
    secure: { ...common, seen: { alpnProtocol: 'h2', encrypted: true, peer } },
  };
});

describeProgram('fetch', (peer) => ({
  peer,
  gzip: 'unzipped',
  sameBody: true,
  streamed: 'a stream',
  aborted: { first: 'the first part', failed: 'AbortError' },
  refused: 'ECONNREFUSED',
}));
