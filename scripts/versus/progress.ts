/** Shows on a terminal what goes on, in one line; '' clears it. Elsewhere each stands on a line. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}
