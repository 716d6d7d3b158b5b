/** One thing that somebody asked for, and what came of it. */
export interface Step {
  /** What was to happen, for people. */
  name: string;
  command: string;
  output: string;
  /** The segments that passed, a line each. */
  ladder: readonly string[];
  ok: boolean;
  /** What was expected, when it did not come. */
  problem: string | null;
}

const OUTPUT_LINES = 30;
const LADDER_HEAD = 10;
const LADDER_TAIL = 8;

/** Tells people, or with `json` programs, how the demonstration goes. */
export class Report {
  readonly #mode: 'tun' | 'memory';
  readonly #json: boolean;
  readonly #colour: boolean;
  readonly #steps: Step[] = [];
  readonly #notes: string[] = [];

  constructor(mode: 'tun' | 'memory', json: boolean) {
    this.#mode = mode;
    this.#json = json;
    this.#colour = process.stdout.isTTY === true && !process.env.NO_COLOR;
  }

  say(text: string): void {
    this.#notes.push(text);
    this.#print(text);
  }

  step(step: Step): void {
    this.#steps.push(step);
    this.#print('');
    this.#print(this.#paint('1', `$ ${step.command}`));
    for (const line of abridge(linesOf(step.output), OUTPUT_LINES - 5, 5)) this.#print(line);
    for (const line of abridge(step.ladder, LADDER_HEAD, LADDER_TAIL)) {
      this.#print(this.#paint('36', `    ${line}`));
    }
    this.#print(this.#verdict(step));
  }

  /** The summary; returns the exit status. */
  finish(): number {
    const good = this.#steps.filter(({ ok }) => ok).length;
    const ok = good === this.#steps.length && good > 0;
    if (this.#json) {
      const report = { ok, mode: this.#mode, notes: this.#notes, steps: this.#steps };
      console.log(JSON.stringify(report, null, 2));
      return ok ? 0 : 1;
    }
    this.#print('');
    for (const step of this.#steps) this.#print(this.#verdict(step));
    this.#print(`\n${good} of ${this.#steps.length} got what they should`);
    return ok ? 0 : 1;
  }

  #verdict({ ok, name, problem }: Step): string {
    if (ok) return this.#paint('32', `✓ ${name}`);
    return this.#paint('31', `✗ ${name}: ${problem}`);
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  #print(text: string): void {
    if (!this.#json) console.log(text);
  }
}

function linesOf(text: string): string[] {
  const trimmed = text.replace(/\s+$/, '');
  return trimmed === '' ? [] : trimmed.split('\n');
}

function abridge(lines: readonly string[], head: number, tail: number): string[] {
  if (lines.length <= head + tail + 1) return [...lines];
  const left = lines.length - head - tail;
  return [...lines.slice(0, head), `    ... ${left} more lines ...`, ...lines.slice(-tail)];
}
