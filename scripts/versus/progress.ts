import { showOnTerminal } from '../lib/command.js';

/** Shows on a terminal what goes on, in one line; '' clears it. Elsewhere each stands on a line. */
export function progress(text: string): void {
  if (process.stderr.isTTY) showOnTerminal(text);
  else if (text !== '') process.stderr.write(`${text}\n`);
}
