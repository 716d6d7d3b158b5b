import type { StateName } from '../tcp/state.js';
import type { Conversation } from './conversation.js';
import {
  asLadder,
  formatDuration,
  formatTime,
  gapText,
  type Ladder,
  type LadderRow,
  legend,
  type SegmentRow,
  type Side,
  segmentText,
  stateText,
} from './ladder-model.js';

/** Columns of text that an arrow or note has. */
const ROOM = 80;

/**
 * The conversation as a `sequenceDiagram` of Mermaid, which GitHub, GitLab and many editors draw; the
 * same as `renderLadder` shows, the time in front of each segment.
 */
export function renderMermaid(what: Conversation | Ladder): string {
  const ladder = asLadder(what);
  const { left, right } = ladder;
  const signs = legend(ladder, 'x').map((text) => `Note over left,right: ${escapeText(text)}`);
  const lines = [
    `participant left as ${escapeText(left.label)}`,
    `participant right as ${escapeText(right.label)}`,
    ...states(ladder, 'left', left.initial === null ? [] : [left.initial]),
    ...states(ladder, 'right', right.initial === null ? [] : [right.initial]),
    ...ladder.rows.flatMap((row) => rowLines(ladder, row)),
    ...signs,
  ];
  return `sequenceDiagram\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function rowLines(ladder: Ladder, row: LadderRow): string[] {
  switch (row.kind) {
    case 'gap':
      return [`Note over left,right: ${escapeText(gapText(row))}`];
    case 'note':
      return [
        `Note ${row.side} of ${row.side}: ${escapeText(`${formatTime(row.time)} ${row.text}`)}`,
        ...entered(ladder, row),
      ];
    case 'segment':
      return [segmentLine(row), ...entered(ladder, row)];
  }
}

/** A lost segment ends in a cross. What arrives later than other things is a note. */
function segmentLine(row: SegmentRow): string {
  const [from, to] = row.to === 'right' ? ['left', 'right'] : ['right', 'left'];
  const text = segmentText(row.line, ROOM);
  if (row.part === 'arrival') {
    const time = formatTime(row.arrival ?? row.time);
    return `Note ${to} of ${to}: ${escapeText(`${time} arrives: ${text}`)}`;
  }
  const presumed = row.lost === 'presumed' ? ' (x)' : '';
  const late = row.arrival === null ? '' : `, +${formatDuration(row.arrival - row.time)}`;
  const arrow = row.lost === 'no' ? (row.part === 'departure' ? '-)' : '->>') : '-x';
  return `${from}${arrow}${to}: ${escapeText(`${formatTime(row.time)}${late} ${text}${presumed}`)}`;
}

function entered(ladder: Ladder, row: { left: StateName[]; right: StateName[] }): string[] {
  return [...states(ladder, 'left', row.left), ...states(ladder, 'right', row.right)];
}

function states(ladder: Ladder, side: Side, names: StateName[]): string[] {
  if (names.length === 0) return [];
  const text = names.map((name) => stateText(name, ladder[side])).join(', ');
  return [`Note ${side} of ${side}: ${escapeText(text)}`];
}

/** Mermaid's entities for what has a meaning to it, the word `end` included. */
function escapeText(text: string): string {
  return text
    .replace(/[^\x20-\x7e]|[#;<>&"%{}\\]/gu, (char) => `#${char.codePointAt(0)};`)
    .replace(/\bend\b/gi, (word) => `#${word.charCodeAt(0)};${word.slice(1)}`);
}
