import { readFileSync } from 'node:fs';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import ours from '../../../src/net/module.js';

const ROOT = new URL('../../../', import.meta.url);
const document = readFileSync(new URL('docs/node-net.md', ROOT), 'utf8');

type Verdict = 'same' | 'differs' | 'not offered';

/** The rows of each section: what they are about, and what they say of it. */
const sections = new Map<string, Map<string, Verdict>>();
for (const section of document.split(/^## /m).slice(1)) {
  const rows = new Map<string, Verdict>();
  sections.set(section.slice(0, section.indexOf('\n')), rows);
  for (const line of section.split('\n')) {
    const [, subject, verdict] = line.split('|').map((cell) => cell.trim());
    if (!/^(?:same|differs|not offered)$/.test(verdict ?? '')) continue;
    for (const [, name] of subject!.matchAll(/`([^`]+)`/g)) rows.set(name!, verdict as Verdict);
  }
}

const nodeServer = new net.Server();
const nodeSocket = new net.Socket();
const own = Object.getOwnPropertyNames;

/** What Node has, what we have, and where it is told. */
const SURFACES: [section: string, nodes: string[], our: object][] = [
  ['Module', own(net), ours],
  ['Server', [...own(net.Server.prototype), ...own(nodeServer)], new ours.Server()],
  ['Socket', [...own(net.Socket.prototype), ...own(nodeSocket)], new ours.Socket()],
];

describe('docs/node-net.md', () => {
  for (const [section, names, our] of SURFACES) {
    it(`tells of each member of Node's that it is there, or why not: ${section}`, () => {
      const rows = sections.get(section)!;
      const untold = names.filter((name) => !rows.has(name));
      expect(untold).toEqual([]);
      const missing = names.filter((name) => rows.get(name) !== 'not offered' && !(name in our));
      expect(missing).toEqual([]);
      const there = names.filter((name) => rows.get(name) === 'not offered' && name in our);
      expect(there).toEqual([]);
    });
  }

  it('offers what it says in classes, where Node has it', () => {
    const statics = own(net.Socket).filter((name) => !(name in ours.Socket));
    expect(statics).toEqual([]);
    for (const name of own(net.Socket.prototype)) {
      if (name === 'constructor') continue;
      const theirs = Object.getOwnPropertyDescriptor(net.Socket.prototype, name)!;
      const mine = Object.getOwnPropertyDescriptor(ours.Socket.prototype, name);
      expect({ name, enumerable: mine?.enumerable, isMethod: typeof mine?.value }).toEqual({
        name,
        enumerable: theirs.enumerable,
        isMethod: typeof theirs.value,
      });
    }
  });

  it('has each code that the socket layer gives', () => {
    const source = readFileSync(new URL('src/net/errors.ts', ROOT), 'utf8');
    const codes = new Set(source.match(/\bERR_\w+/g));
    const told = sections.get('Errors')!;
    expect([...codes].filter((code) => code !== 'ERR_' && !told.has(code))).toEqual([]);
    expect(codes.size).toBeGreaterThan(10);
  });
});
