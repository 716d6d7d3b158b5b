import { basename, join } from 'node:path';
import type { StateName } from '../../../src/tcp/state.js';
import type { Packet } from '../../support/packet.js';
import { listScripts, preamblesOf, readScripts } from '../packet-scripts/folder.js';
import { formatFailure } from '../packet-scripts/play.js';
import { runVirtual, type Transition } from '../packet-scripts/run-virtual.js';
import { type Script, type Statement, statementsFor } from '../packet-scripts/script.js';

/** What a script of `states/` showed: an event in a state, and what our host did. */
export interface Seen {
  readonly state: StateName;
  readonly event: string;
  /** What is special about this case; empty: nothing. */
  readonly variant: string;
  readonly file: string;
  /** Of the event. */
  readonly line: number;
  /** The line that is the event; null when only time passes. */
  readonly cause: string | null;
  readonly sent: readonly string[];
  /** The error that the user got; null: none. */
  readonly error: string | null;
  readonly transitions: readonly Transition[];
  readonly next: StateName;
  /** How Linux differs; null: it does not. */
  readonly linux: string | null;
}

/** A case that stands for a cell, before it is played. */
export interface Case {
  readonly state: StateName;
  readonly event: string;
  readonly variant: string;
  readonly script: Script;
}

/** All cases of `states/` in a folder of scripts; files are named as seen from `root`. */
export function casesOf(scripts: string, root: string): Case[] {
  const find = preamblesOf(scripts, root);
  return listScripts(join(scripts, 'states')).flatMap((path) =>
    readScripts(path, find, root).map((script) => {
      const name = script.title.slice(script.title.indexOf(': ') + 2);
      const [event = '', ...variant] = name.split(', ');
      return { state: stateOf(path), event, variant: variant.join(', '), script };
    }),
  );
}

/** `syn-received-active.pkt` and `syn-received.pkt` are of SYN_RECEIVED. */
function stateOf(path: string): StateName {
  const name = basename(path, '.pkt').replace(/-active$/, '');
  return name.toUpperCase().replaceAll('-', '_') as StateName;
}

/** Plays a case to our host. @throws Error when it does not come true */
export async function see({ state, event, variant, script }: Case): Promise<Seen> {
  const { failure, reaction } = await runVirtual(script);
  if (failure !== null) throw new Error(formatFailure(failure));
  const own = new Set(script.statements.slice(script.event));
  const after = statementsFor(script, 'ours').filter((statement) => own.has(statement));
  const transitions = reaction.transitions.filter(({ cause }) => cause !== 'the listener remains');
  const asserted = wantedBy(after, 'state').at(-1) as StateName | undefined;
  if (asserted === undefined) throw new Error(`${script.file}: ${script.title}: asserts no state`);
  const first = after[0]!;
  const kind = first.act.kind;
  return {
    state,
    event,
    variant,
    file: script.file,
    line: first.place.line,
    cause: kind === 'inject' || (kind === 'call' && first.when.from === 0) ? first.text : null,
    sent: countRepeated(reaction.sent.map(nameOfPacket)),
    error: wantedBy(after, 'error').find((name) => name !== null) ?? null,
    transitions,
    next: (transitions.at(-1)?.to as StateName | undefined) ?? asserted,
    linux: differenceOf(script),
  };
}

/** What assertions of a kind wanted, and got, in their order. */
function wantedBy(statements: readonly Statement[], name: string): (string | null)[] {
  return statements.flatMap(({ act }) =>
    act.kind === 'call' && act.call.name === name ? [act.call.wanted.name] : [],
  );
}

function differenceOf({ linux, statements }: Script): string | null {
  if (linux !== null)
    return linux.kind === 'too slow' ? `not tried: ${linux.reason}` : linux.reason;
  const reasons = statements.flatMap(({ reason }) => reason ?? []);
  const said = [...new Set(reasons)].filter((reason) => reason !== 'the same');
  return said.length === 0 ? null : said.join('; ');
}

function countRepeated(names: readonly string[]): string[] {
  const different = [...new Set(names)];
  return different.map((name) => {
    const count = names.filter((each) => each === name).length;
    return count === 1 ? name : `${count} × ${name}`;
  });
}

const FLAG_NAMES: Readonly<Record<string, string>> = {
  S: 'SYN',
  F: 'FIN',
  R: 'RST',
  '.': 'ACK',
  U: 'URG',
  E: 'ECE',
  W: 'CWR',
};

/** `SYN,ACK`, or `ACK with 100 octets`. */
function nameOfPacket({ flags, data }: Packet): string {
  const names = [...flags].flatMap((flag) => FLAG_NAMES[flag] ?? []).join(',');
  if (data.length === 0) return names;
  return `${names} with ${data.length === 1 ? 'one octet' : `${data.length} octets`}`;
}
