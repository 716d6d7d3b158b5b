import type { StateName } from '../../../src/tcp/state.js';
import { type CellEvent, clauseOf, EVENTS, IMPOSSIBLE, STATES, whyImpossible } from './cells.js';
import { RFC_EDGES, type SeenEdge } from './edges.js';
import type { Seen } from './seen.js';

const HEAD = `# States and events

What a connection does in each of the eleven states when each event comes, as the tests saw it: for every
cell there is a [packet script](packet-scripts.md), which is played to our host and to Linux. This page
and its picture are made of what came out (\`scripts/states\`), and a test fails when they are out of date.
Clauses are those of RFC 9293; the words behind them are its steps.

![The states of a connection](states.svg)

The arrows are those of figure 5. [states.dot](states.dot) has all events that were seen at each of them.
`;

/** The whole of docs/states.md. */
export function renderPage(seen: readonly Seen[], edges: readonly SeenEdge[]): string {
  return [
    HEAD,
    ...renderEdges(edges),
    '## At a glance',
    '',
    'What is sent, and the next state if it is another; `-` is nothing. An empty cell cannot happen.',
    '',
    ...renderMatrix(seen),
    ...STATES.flatMap((state) => renderState(state, seen)),
    '## What cannot happen',
    '',
    ...table(
      ['in', 'event', 'because'],
      IMPOSSIBLE.map(({ states, events, reason }) => [
        states.join(', '),
        events.join(', '),
        reason,
      ]),
    ),
  ].join('\n');
}

function renderEdges(edges: readonly SeenEdge[]): string[] {
  const rows = RFC_EDGES.map(({ from, to, by, clause, absent }) => {
    const seen = edges.find((edge) => edge.from === from && edge.to === to);
    const events = seen?.by.map(({ event }) => event).join('; ');
    const where = by === null ? 'text' : 'figure 5';
    return [`${from} → ${to}`, where, clause, events ?? `not with us: ${absent}`];
  });
  return [
    '## Arrows',
    '',
    'All that RFC 9293 has, in its figure or its text, and what was seen to cause them. There are no others.',
    '',
    ...table(['arrow', 'in', 'clause', 'seen by'], rows),
  ];
}

function renderMatrix(seen: readonly Seen[]): string[] {
  const rows = EVENTS.map(({ name }) => [name, ...STATES.map((state) => short(state, name, seen))]);
  const head = STATES.map((state) => `[${state}](#${state.toLowerCase()})`);
  return table(['', ...head], rows);
}

function short(state: StateName, event: string, seen: readonly Seen[]): string {
  const found = seen.filter((each) => each.state === state && each.event === event);
  const texts = found.map(({ sent, next }) => {
    const answer = sent.length === 0 ? '-' : sent.map(shorten).join(', ');
    return next === state ? answer : `${answer} → ${next}`;
  });
  return [...new Set(texts)].join('<br>');
}

/** Without how much text there is. */
function shorten(packet: string): string {
  return packet.replace(/ with .*/, ' + text');
}

function renderState(state: StateName, seen: readonly Seen[]): string[] {
  const rows = EVENTS.flatMap((event) => {
    const found = seen.filter((each) => each.state === state && each.event === event.name);
    return found.map((each) => renderSeen(each, event));
  });
  const missing = EVENTS.filter(({ name }) => whyImpossible(state, name) !== null);
  const note =
    missing.length === 0 ? '' : ` ${missing.length} [cannot happen](#what-cannot-happen) here.`;
  const files = new Set(seen.filter((each) => each.state === state).map(({ file }) => file));
  const links = [...files].map((file) => `[${file.split('/').at(-1)}](../${file})`).join(', ');
  return [
    `## ${state}`,
    '',
    `Scripts: ${links}.${note}`,
    '',
    ...table(['event', 'clause', 'line', 'sent', 'next state', 'Linux'], rows),
  ];
}

function renderSeen(seen: Seen, event: CellEvent): string[] {
  const { state, variant, file, line, cause, sent, error, next, linux } = seen;
  const name = variant === '' ? event.name : `${event.name}, ${variant}`;
  return [
    `[${name}](../${file}#L${line})`,
    clauseOf(state, event),
    cause === null ? 'time passes' : `\`${cause}\``,
    sent.length === 0 ? '-' : sent.join(', '),
    `${next === state ? 'the same' : next}${error === null ? '' : `, user: ${error}`}`,
    linux ?? 'the same',
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''];
}
