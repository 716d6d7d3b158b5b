/** An error of who typed the command. {@link runCommand} ends with exit status 2 for it. */
export function usage(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_PARSE_ARGS_VALUE' });
}

/** @throws usage */
export function jsonObject(name: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {}
  throw usage(`${name} takes a JSON object, not '${text}'`);
}

/** What goes on, in one line of a terminal; '' clears it. Elsewhere nothing. */
export function showOnTerminal(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/**
 * Ends the process with the exit status that `main` gives; when it fails, with 2 for wrong usage and 1
 * otherwise, and a line that begins with `name`.
 */
export async function runCommand(
  name: string,
  main: () => number | Promise<number>,
): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : error}`);
    const { code } = (error ?? {}) as { code?: unknown };
    process.exitCode = String(code).startsWith('ERR_PARSE_ARGS') ? 2 : 1;
  }
}
