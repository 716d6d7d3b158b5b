import type { StateName } from '../../../src/tcp/state.js';
import { STATES } from './cells.js';
import { RFC_EDGES, type SeenEdge } from './edges.js';

const WIDTH = 980;
const HEIGHT = 850;
const NODE = { width: 148, height: 40 };

/** As figure 5 has them; CLOSED stands at both ends. */
const PLACES: readonly (readonly [state: StateName, x: number, y: number, phase: string])[] = [
  ['CLOSED', 490, 84, 'idle'],
  ['LISTEN', 490, 204, 'idle'],
  ['SYN_RECEIVED', 190, 314, 'opening'],
  ['SYN_SENT', 790, 314, 'opening'],
  ['ESTABLISHED', 490, 424, 'open'],
  ['FIN_WAIT_1', 190, 514, 'closing'],
  ['CLOSE_WAIT', 790, 514, 'closing'],
  ['FIN_WAIT_2', 190, 624, 'closing'],
  ['CLOSING', 490, 624, 'closing'],
  ['LAST_ACK', 790, 624, 'closing'],
  ['TIME_WAIT', 490, 734, 'closing'],
  ['CLOSED', 790, 734, 'idle'],
];

type Anchor = 'start' | 'middle' | 'end';

/** How an arrow of the figure runs, and where its label stands. */
const WAYS: Readonly<Record<string, readonly [path: string, x: number, y: number, Anchor]>> = {
  'CLOSED LISTEN': ['M470 104V184', 460, 140, 'end'],
  'LISTEN CLOSED': ['M510 184V104', 520, 140, 'start'],
  'CLOSED SYN_SENT': ['M564 76H800Q830 76 830 106V294', 840, 180, 'start'],
  'SYN_SENT CLOSED': ['M760 294V130Q760 96 726 96H564', 750, 180, 'end'],
  'LISTEN SYN_RECEIVED': ['M416 214C330 220 250 240 232 294', 320, 250, 'start'],
  'SYN_RECEIVED LISTEN': ['M150 294C160 194 260 190 416 196', 175, 210, 'end'],
  'SYN_SENT SYN_RECEIVED': ['M716 314H264', 490, 304, 'middle'],
  'LISTEN SYN_SENT': ['M564 214C630 222 690 240 720 294', 560, 256, 'start'],
  'SYN_RECEIVED ESTABLISHED': ['M254 334L420 404', 350, 350, 'start'],
  'SYN_SENT ESTABLISHED': ['M726 334L560 404', 630, 350, 'end'],
  'SYN_RECEIVED FIN_WAIT_1': ['M180 334V494', 170, 414, 'end'],
  'ESTABLISHED FIN_WAIT_1': ['M420 444L254 494', 318, 448, 'end'],
  'ESTABLISHED CLOSE_WAIT': ['M560 444L726 494', 662, 448, 'start'],
  'FIN_WAIT_1 FIN_WAIT_2': ['M180 534V604', 170, 564, 'end'],
  'FIN_WAIT_1 CLOSING': ['M254 534L424 604', 355, 548, 'start'],
  'CLOSE_WAIT LAST_ACK': ['M800 534V604', 810, 564, 'start'],
  'FIN_WAIT_2 TIME_WAIT': ['M200 644C220 710 300 734 416 734', 200, 696, 'end'],
  'CLOSING TIME_WAIT': ['M490 644V714', 500, 674, 'start'],
  'LAST_ACK CLOSED': ['M800 644V714', 810, 674, 'start'],
  'TIME_WAIT CLOSED': ['M564 734H716', 640, 724, 'middle'],
};

const LIGHT = {
  paper: '#ffffff',
  ink: '#1f2328',
  quiet: '#636c76',
  frame: '#d1d9e0',
  idle: '#afb8c1',
  opening: '#d4a72c',
  open: '#4ac26b',
  closing: '#a475f9',
};

const DARK: typeof LIGHT = {
  paper: '#0d1117',
  ink: '#e6edf3',
  quiet: '#9198a1',
  frame: '#3d444d',
  idle: '#656c76',
  opening: '#bb8009',
  open: '#2ea043',
  closing: '#8957e5',
};

function colours(of: typeof LIGHT): string {
  return `.states text { fill: ${of.ink}; }
.states .quiet { fill: ${of.quiet}; }
.states .halo { stroke: ${of.paper}; }
.states .paper { fill: ${of.paper}; stroke: ${of.frame}; }
.states .way { stroke: ${of.quiet}; }
.states .head { fill: ${of.quiet}; }
.states .node { fill: ${of.paper}; }
.states .idle { stroke: ${of.idle}; }
.states .opening { stroke: ${of.opening}; }
.states .open { stroke: ${of.open}; }
.states .closing { stroke: ${of.closing}; }
`;
}

const STYLE = `
.states text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.states .title { font: 600 16px system-ui, "DejaVu Sans", sans-serif; }
.states .name { font-weight: 600; font-size: 13px; }
.states .halo { stroke-width: 4px; stroke-linejoin: round; paint-order: stroke; }
.states .way { fill: none; stroke-width: 1.4; }
.states .absent { stroke-dasharray: 3 5; }
.states .node { stroke-width: 2.4; }
${colours(LIGHT)}@media (prefers-color-scheme: dark) {
${colours(DARK)}}
`;

function responseOf(sent: readonly string[]): string {
  return sent.length === 0 ? 'nothing' : sent.join(', ');
}

/** The state diagram of what was seen, as Graphviz has it. */
export function renderDot(edges: readonly SeenEdge[]): string {
  const lines = edges.flatMap(({ from, to, by }) => {
    const label = by.map(({ event, sent }) => `${event} / ${responseOf(sent)}`).join('\\l');
    return `  ${from} -> ${to} [label="${label}\\l"];`;
  });
  return [
    '// Made by scripts/states from what the scripts in test/conformance/scripts/states have shown.',
    'digraph "states of a connection" {',
    '  node [shape=box, style=rounded, fontname="sans-serif"];',
    '  edge [fontname="sans-serif", fontsize=9];',
    ...lines,
    '}',
    '',
  ].join('\n');
}

/** The same, laid out as figure 5 of RFC 9293. */
export function renderStates(edges: readonly SeenEdge[]): string {
  const parts = RFC_EDGES.flatMap(({ from, to, by, absent }) => {
    const way = WAYS[`${from} ${to}`];
    if (way === undefined || by === null) return [];
    const seen = edges.find((edge) => edge.from === from && edge.to === to);
    const event = seen?.by.find((each) => each.event === by);
    if (absent === undefined && event === undefined) return [];
    const response = event === undefined ? 'in RFC 9293 alone' : responseOf(event.sent);
    return drawEdge(way, by, response, event === undefined);
  });
  const nodes = PLACES.map(([state, x, y, phase]) => drawNode(state, x, y, phase));
  return `<svg xmlns="http://www.w3.org/2000/svg" class="states" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-labelledby="states-title">
<title id="states-title">The states of a connection, as the tests saw them change</title>
<style>${STYLE}</style>
<defs><marker id="states-head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path class="head" d="M0 1L10 5L0 9z"/></marker></defs>
<rect class="paper" x="0.5" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}" rx="10"/>
<text class="title" x="${WIDTH / 2}" y="34" text-anchor="middle">The states of a connection, as the tests saw them change</text>
${[...parts, ...nodes, ...drawOthers(edges)].join('\n')}
</svg>
`;
}

function drawEdge(
  [path, x, y, anchor]: (typeof WAYS)[string],
  event: string,
  response: string,
  isAbsent: boolean,
): string[] {
  const up = anchor === 'middle' ? 16 : 0;
  return [
    `<path class="way${isAbsent ? ' absent' : ''}" d="${path}" marker-end="url(#states-head)"/>`,
    `<text class="halo" x="${x}" y="${y - up}" text-anchor="${anchor}">${event}</text>`,
    `<text class="halo quiet" x="${x}" y="${y - up + 15}" text-anchor="${anchor}">${response}</text>`,
  ];
}

function drawNode(state: StateName, x: number, y: number, phase: string): string {
  const { width, height } = NODE;
  return `<rect class="node ${phase}" x="${x - width / 2}" y="${y - height / 2}" width="${width}" height="${height}" rx="20"/>
<text class="name" x="${x}" y="${y + 5}" text-anchor="middle">${state}</text>`;
}

/** Arrows to CLOSED that would only cross the others. */
function drawOthers(edges: readonly SeenEdge[]): string[] {
  const known = new Set(RFC_EDGES.filter(({ by }) => by === null).map(({ from, to }) => from + to));
  const others = edges.filter((edge) => known.has(edge.from + edge.to));
  const from = STATES.filter((state) => others.some((edge) => edge.from === state));
  return [
    `To CLOSED by RST, ABORT and timeouts as well: ${from.slice(0, 4).join(', ')},`,
    `${from.slice(4).join(', ')}. Below each event stands what is sent.`,
  ].map(
    (text, i) =>
      `<text class="quiet" x="${WIDTH / 2}" y="${HEIGHT - 46 + i * 18}" text-anchor="middle">${text}</text>`,
  );
}
