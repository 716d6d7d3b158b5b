/** Ports whose payload tcpdump takes for HTTP. */
const HTTP_PORTS: ReadonlySet<number> = new Set([80, 3128, 8080]);

/** What a first line begins with, in any case. */
const STARTS =
  /^(?:GET|PUT|COPY|HEAD|LOCK|MOVE|POLL|POST|BCOPY|BMOVE|MKCOL|TRACE|LABEL|MERGE|DELETE|SEARCH|UNLOCK|REPORT|UPDATE|NOTIFY|BDELETE|CONNECT|OPTIONS|CHECKIN|PROPFIND|CHECKOUT|CCM_POST|SUBSCRIBE|PROPPATCH|BPROPFIND|BPROPPATCH|UNCHECKOUT|MKACTIVITY|MKWORKSPACE|UNSUBSCRIBE|RPC_CONNECT|VERSION-CONTROL|BASELINE-CONTROL)\s/i;
/** A response: a word, then a status. */
const STATUS = /^\S+\s+\d{3}\s/;

/** Longest first line that is looked at, in bytes. */
const MAX_LINE = 4_096;

/**
 * What tcpdump adds to a line with payload when one of the ports is HTTP's: `: HTTP: GET / HTTP/1.1`,
 * `: HTTP` for what does not begin a message; nothing for other ports.
 */
export function httpLine(
  view: DataView,
  at: number,
  length: number,
  srcPort: number,
  dstPort: number,
): string {
  if (!HTTP_PORTS.has(srcPort) && !HTTP_PORTS.has(dstPort)) return '';
  const kept = Math.min(length, view.byteLength - at, MAX_LINE);
  if (kept <= 0) return ': HTTP';
  const text = Buffer.from(view.buffer, view.byteOffset + at, kept).toString('latin1');
  if (!STARTS.test(text) && !STATUS.test(text)) return ': HTTP';
  const end = text.search(/\r?\n/);
  return end < 0 ? ': HTTP' : `: HTTP: ${text.slice(0, end)}`;
}
