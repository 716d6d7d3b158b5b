import { readdirSync, readFileSync, statSync } from 'node:fs';
import { expect, it } from 'vitest';

const docs = new URL('../../../docs/', import.meta.url);
const plots = new URL('plots/', docs);

it('docs/ shows each plot, and each is small', () => {
  const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
  const text = pages.map((name) => readFileSync(new URL(name, docs), 'utf8')).join('\n');
  const shown = [...text.matchAll(/\]\(plots\/([\w-]+\.svg)\)/g)].map(([, name]) => name!);
  expect(readdirSync(plots).sort()).toEqual([...new Set(shown)].sort());
  for (const name of shown) expect(statSync(new URL(name, plots)).size, name).toBeLessThan(60_000);
});
