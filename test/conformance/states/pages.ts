import { renderDot, renderStates } from './diagram.js';
import { edgesOf } from './edges.js';
import { renderPage } from './page.js';
import { casesOf, type Seen, see } from './seen.js';

/** Plays all scripts of `states/` to our host. @throws Error when one does not come true */
export async function seeAll(scripts: string, root: string): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (const each of casesOf(scripts, root)) seen.push(await see(each));
  return seen;
}

/** What `scripts/states` writes into docs/: names of files and their text. */
export function pagesOf(seen: readonly Seen[]): Readonly<Record<string, string>> {
  const edges = edgesOf(seen);
  return {
    'states.md': renderPage(seen, edges),
    'states.dot': renderDot(edges),
    'states.svg': renderStates(edges),
  };
}
