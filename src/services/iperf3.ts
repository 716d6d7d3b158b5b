/** iperf3 on anybody's sockets: the server for `tuntcp serve`, the client for `tuntcp iperf3`. */
export type { Iperf3Request } from './iperf3/client.js';
export { Iperf3Client, newCookie } from './iperf3/client.js';
export { JsonReport } from './iperf3/json-report.js';
export { Iperf3Error, LIMITS, PORT, type TestParameters } from './iperf3/protocol.js';
export { bothEnds, TextReport, totals } from './iperf3/report.js';
export { type Iperf3Options, Iperf3Server, type TestEnd } from './iperf3/server.js';
export { byteText, parseAmount, RATE_FORMATS, type RateFormat, rateText } from './iperf3/units.js';
