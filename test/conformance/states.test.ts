import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkXml } from '../support/xml.js';
import { EVENTS, IMPOSSIBLE, STATES, whyImpossible } from './states/cells.js';
import { edgesOf, RFC_EDGES } from './states/edges.js';
import { pagesOf, seeAll } from './states/pages.js';
import { casesOf, type Seen } from './states/seen.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SCRIPTS = fileURLToPath(new URL('scripts', import.meta.url));
const DOCS = new URL('../../docs/', import.meta.url);

const cases = casesOf(SCRIPTS, ROOT);

describe('the scripts of states', () => {
  it('cover each state and event that can meet', () => {
    const missing = STATES.flatMap((state) =>
      EVENTS.filter(({ name }) => whyImpossible(state, name) === null)
        .filter(({ name }) => !cases.some((each) => each.state === state && each.event === name))
        .map(({ name }) => `${state}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('are of no other state or event, nor of one that cannot come', () => {
    const names = new Set(EVENTS.map(({ name }) => name));
    const stray = cases.filter(
      ({ state, event }) =>
        !STATES.includes(state) || !names.has(event) || whyImpossible(state, event) !== null,
    );
    expect(stray.map(({ script }) => `${script.file}: ${script.title}`)).toEqual([]);
  });

  it('leave out no cell twice, and none that is not there', () => {
    const cells = IMPOSSIBLE.flatMap(({ states, events }) =>
      states.flatMap((state) => events.map((event) => `${state}: ${event}`)),
    );
    expect(cells.length).toBe(new Set(cells).size);
    const names = new Set(EVENTS.map(({ name }) => name));
    const unknown = IMPOSSIBLE.flatMap(({ events }) => events).filter((each) => !names.has(each));
    expect(unknown).toEqual([]);
  });
});

describe('what the scripts of states show', () => {
  let seen: Seen[];
  beforeAll(async () => {
    seen = await seeAll(SCRIPTS, ROOT);
  });

  it('begins in the state that the script is for', () => {
    const others = seen.filter(({ state, transitions }) => {
      const from = transitions[0]?.from;
      return from !== undefined && from !== state;
    });
    expect(others.map(({ file, line }) => `${file}:${line}`)).toEqual([]);
  });

  it("has the arrows of RFC 9293's figure 5 and text, and no others", () => {
    const names = (edges: readonly { from: string; to: string }[]): string[] =>
      edges.map(({ from, to }) => `${from} -> ${to}`).sort();
    const wanted = RFC_EDGES.filter(({ absent }) => absent === undefined);
    expect(names(edgesOf(seen))).toEqual(names(wanted));
  });

  it('has each arrow of figure 5 by the event that stands at it', () => {
    const edges = edgesOf(seen);
    for (const { from, to, by, absent } of RFC_EDGES) {
      if (by === null || absent !== undefined) continue;
      const edge = edges.find((each) => each.from === from && each.to === to);
      expect(edge?.by.map(({ event }) => event)).toContain(by);
    }
  });

  it('is drawn well-formed', () => checkXml(pagesOf(seen)['states.svg']!));

  it.each(['states.md', 'states.dot', 'states.svg'])('is what docs/%s says', (name) => {
    const text = readFileSync(new URL(name, DOCS), 'utf8');
    expect(text === pagesOf(seen)[name], `run scripts/states: docs/${name} is out of date`).toBe(
      true,
    );
  });
});
