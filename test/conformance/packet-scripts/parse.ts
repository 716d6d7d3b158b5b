import { basename } from 'node:path';
import { checkParameter } from './parameters.js';
import { CallError, parseCall } from './parse-call.js';
import { PacketError, parsePacket } from './parse-packet.js';
import {
  type Act,
  type Place,
  type Script,
  ScriptError,
  type Statement,
  type System,
  type Verdict,
  type When,
} from './script.js';

/** Gives the text of a preamble, and the name by which its lines are known; null: there is none. */
export type FindPreamble = (name: string) => { file: string; text: string } | null;

const TIME = /^(?:(\*)|(\+?)(\d*\.?\d+)(?:~\+?(\d*\.?\d+))?)(?=\s)\s*/;
const ONLY = /^(ours|linux)-only(?:\s*\(([^)]*)\))?\s*:\s*/;
const VERDICT = /^linux:\s*(differs|too slow)\s*(?:—|-+)\s*(\S.*)$/;
const SAY_WHY = 'say why Linux differs: ours-only (REASON): ..., or linux-only (REASON): ...';
/** Preambles within preambles; more is a circle. */
const MOST_NESTED = 8;

/**
 * Reads a file: one script, or one for each `=== NAME`, which all begin with what stands above the
 * first of these lines.
 * @param file the name that messages have in front of the line
 * @throws ScriptError
 */
export function parseScripts(file: string, text: string, find: FindPreamble): Script[] {
  const title = /^\/\/\s*(.+)/.exec(text)?.[1] ?? basename(file, '.pkt');
  const lines = text.split('\n').map((raw, index) => ({ raw, place: { file, line: index + 1 } }));
  const [common, ...cases] = splitCases(lines);
  if (cases.length === 0) return [readCase(file, title, [], common!.lines, find)];
  const names = new Set<string>();
  return cases.map(({ name, lines: own, place }) => {
    if (names.has(name)) throw new ScriptError(place, `there is another case \`${name}\``);
    names.add(name);
    return readCase(file, `${title}: ${name}`, common!.lines, own, find);
  });
}

interface Line {
  readonly raw: string;
  readonly place: Place;
}

interface Case {
  readonly name: string;
  readonly place: Place;
  readonly lines: Line[];
}

/** What stands above the first case, and the cases. */
function splitCases(lines: readonly Line[]): Case[] {
  const cases: Case[] = [{ name: '', place: lines[0]!.place, lines: [] }];
  for (const line of lines) {
    const name = /^===\s*(.*)/.exec(line.raw)?.[1]?.trim();
    if (name === '') throw new ScriptError(line.place, 'a case needs a name: === NAME');
    if (name === undefined) cases.at(-1)!.lines.push(line);
    else cases.push({ name, place: line.place, lines: [] });
  }
  return cases;
}

function readCase(
  file: string,
  title: string,
  common: readonly Line[],
  own: readonly Line[],
  find: FindPreamble,
): Script {
  const reader = new Reader(find);
  const variables = new Map<string, string>();
  reader.read(common, variables, 0);
  reader.begin();
  reader.read(own, variables, 0);
  if (reader.statements.length === 0) {
    throw new ScriptError({ file, line: 1 }, 'the script has no statement');
  }
  const { statements, parameters, linux, event } = reader;
  if (reader.mark !== null && event === statements.length) {
    throw new ScriptError(reader.mark, 'no statement follows ---, which is where the event begins');
  }
  const unexplained = statements.find(({ only }) => only !== null);
  if (unexplained !== undefined && statements.every(({ reason }) => reason === null)) {
    throw new ScriptError(unexplained.place, SAY_WHY);
  }
  return { file, title, parameters, linux, statements, event };
}

class Reader {
  readonly statements: Statement[] = [];
  readonly parameters = new Map<string, string>();
  linux: Verdict | null = null;
  event = 0;
  /** The latest `---`. */
  mark: Place | null = null;

  constructor(private readonly find: FindPreamble) {}

  read(lines: readonly Line[], variables: Map<string, string>, depth: number): void {
    for (const { raw, place } of lines) {
      const line = raw.replace(/(^|\s)\/\/.*/, '').trim();
      if (line === '') continue;
      try {
        this.#line(place, line, variables, depth);
      } catch (error) {
        if (!(error instanceof PacketError || error instanceof CallError)) throw error;
        throw new ScriptError(place, error.message);
      }
    }
  }

  /** What comes now is no longer what leads up to the event. */
  begin(): void {
    this.event = this.statements.length;
  }

  #line(place: Place, line: string, variables: Map<string, string>, depth: number): void {
    const setting = /^let (\w+) = (.+)$/.exec(line);
    if (setting) {
      const [, name = '', value = ''] = setting;
      if (!variables.has(name)) variables.set(name, substitute(place, value, variables));
      return;
    }
    const text = substitute(place, line, variables);
    if (text === '---') {
      this.mark = place;
      this.begin();
      return;
    }
    const preamble = /^`([^`]*)`$/.exec(text);
    if (preamble) this.#preamble(place, preamble[1]!, depth);
    else if (/^--|^linux:/.test(text)) this.#header(place, text);
    else this.#statement(place, text);
  }

  /** `name words key=value key="more values"`: the file `name-words.pkt`, with `$key` replaced. */
  #preamble(place: Place, text: string, depth: number): void {
    const variables = new Map<string, string>();
    const words = text.replace(/(\w+)=(?:"([^"]*)"|(\S*))/g, (_, key, quoted, bare) => {
      variables.set(key, quoted ?? bare);
      return '';
    });
    const name = words.trim().split(/\s+/).join('-');
    const found = this.find(name);
    if (found === null) {
      throw new ScriptError(place, `there is no preamble \`${name}\` (preambles/${name}.pkt)`);
    }
    if (depth >= MOST_NESTED) throw new ScriptError(place, `preamble \`${name}\` includes itself`);
    const lines = found.text
      .split('\n')
      .map((raw, index) => ({ raw, place: { file: found.file, line: index + 1, from: place } }));
    this.read(lines, variables, depth + 1);
  }

  #header(place: Place, text: string): void {
    if (text.startsWith('linux:')) {
      const verdict = VERDICT.exec(text);
      if (verdict === null) {
        throw new ScriptError(
          place,
          'write `linux: differs — REASON` or `linux: too slow — REASON`',
        );
      }
      this.linux = { kind: verdict[1] as Verdict['kind'], reason: verdict[2]! };
      return;
    }
    const match = /^--([\w.-]+)=(.+)$/.exec(text);
    if (match === null) throw new ScriptError(place, `cannot read \`${text}\`; write --NAME=VALUE`);
    const [, name = '', value = ''] = match;
    const problem = checkParameter(name, value);
    if (problem !== null) throw new ScriptError(place, problem);
    // A script's own parameter stands above those of its preambles.
    if (!this.parameters.has(name)) this.parameters.set(name, value);
  }

  #statement(place: Place, line: string): void {
    const only = ONLY.exec(line);
    if (only?.[1] === 'ours' && !only[2]) {
      throw new ScriptError(place, SAY_WHY);
    }
    const rest = only === null ? line : line.slice(only[0].length);
    const time = TIME.exec(rest);
    const when = time === null ? AT_ONCE : parseWhen(place, time);
    const text = time === null ? rest : rest.slice(time[0].length);
    if (time === null && /^[\d+]/.test(text)) {
      throw new ScriptError(
        place,
        `cannot read the time in \`${text}\`: 0.1, +0.1, 0.1~0.2, +0.1~0.2 or *, in seconds`,
      );
    }
    const act = parseAct(text);
    if (when.kind === 'any' && act.kind !== 'expect') {
      throw new ScriptError(place, 'only a packet that is expected (>) may come at any time (*)');
    }
    this.statements.push({
      place,
      text: rest,
      when,
      only: (only?.[1] as System | undefined) ?? null,
      reason: only?.[2] ?? null,
      act,
    });
  }
}

const AT_ONCE: When = { kind: 'after', from: 0, to: 0 };

function parseWhen(place: Place, time: RegExpExecArray): When {
  const [, any, plus, first = '', second = first] = time;
  if (any !== undefined) return { kind: 'any', from: 0, to: Infinity };
  const [from, to] = [Number(first) * 1000, Number(second) * 1000];
  if (to < from) throw new ScriptError(place, `the time ends before it begins: ${first}~${second}`);
  return { kind: plus === '+' ? 'after' : 'at', from, to };
}

function parseAct(text: string): Act {
  const direction = text[0];
  if (direction === '<' || direction === '>') return parsePacket(direction, text.slice(1).trim());
  return { kind: 'call', call: parseCall(text) };
}

function substitute(place: Place, line: string, variables: Map<string, string>): string {
  return line.replace(/\$(\w+)/g, (_, name: string) => {
    const value = variables.get(name);
    if (value === undefined) {
      throw new ScriptError(place, `$${name} has no value; \`let ${name} = VALUE\` gives it one`);
    }
    return value;
  });
}
