import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkHouse } from '../../../scripts/lib/house.js';
import { ScratchTree } from './scratch-tree.js';

const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));

const tree = new ScratchTree();

/** Findings as `file:line severity`, after writing `files`. */
function placesOf(files: Record<string, string>): string[] {
  tree.write(files);
  return checkHouse(tree.root).map(({ file, line, severity }) => `${file}:${line} ${severity}`);
}

/** The sources whose types the rules know by name. */
function copyTypes(): void {
  for (const file of ['src/base/seq.ts', 'src/tcp/state.ts']) {
    mkdirSync(join(tree.root, dirname(file)), { recursive: true });
    cpSync(join(PROJECT, file), join(tree.root, file));
  }
}

describe('imports', () => {
  it.each([
    ['src/base/a.ts', '../wire/segment.js'],
    ['src/wire/a.ts', '../tcp/state.js'],
    ['src/tcp/a.ts', '../stack/host.js'],
    ['src/tcp/a.ts', '../runtime/runtime.js'],
    ['src/tcp/a.ts', '../wire/ipv4.js'],
    ['src/tcp/a.ts', '../wire/icmp.js'],
    ['src/tcp/a.ts', '../wire/virtio.js'],
    ['src/stack/a.ts', '../net/socket.js'],
    ['src/stack/a.ts', '../link/tun.js'],
    ['src/net/a.ts', '../services/echo.js'],
    ['src/net/a.ts', '../index.js'],
    ['src/services/a.ts', '../cli/main.js'],
    ['src/link/a.ts', '../tcp/state.js'],
    ['src/link/a.ts', '../stack/host.js'],
    ['src/runtime/a.ts', '../wire/segment.js'],
    ['src/cli/a.ts', '../../scripts/lib/house.js'],
    ['src/cli/a.ts', '../net/socket'],
    ['src/elsewhere/a.ts', '../base/seq.js'],
  ])('refuses %s importing %s', (file, specifier) => {
    expect(placesOf({ [file]: `\nimport { a } from '${specifier}';\n` })).toEqual([
      `${file}:2 error`,
    ]);
  });

  it.each([
    ['src/tcp/a.ts', "import { b } from '../wire/segment.js';"],
    ['src/tcp/a.ts', "import { b } from './state.js';"],
    ['src/link/a.ts', "import { b } from '../runtime/runtime.js';"],
    ['src/stack/a.ts', "import type { Link } from '../link/link.js';"],
    ['src/cli/a.ts', "import { b } from '../link/tun.js';"],
    ['src/index.ts', "export * from './net/socket.js';"],
    ['src/stack/a.ts', "import { createHash } from 'node:crypto';"],
  ])('lets %s say %s', (file, text) => {
    expect(placesOf({ [file]: text })).toEqual([]);
  });

  it('sees exports, dynamic imports, require and import types too', () => {
    const text = [
      "export * from '../tcp/state.js';",
      "export type { A } from '../tcp/state.js';",
      "const a = () => import('../tcp/state.js');",
      "const b = require('../tcp/state.js');",
      "type C = import('../tcp/state.js').State;",
    ].join('\n');
    expect(placesOf({ 'src/wire/a.ts': text })).toEqual(
      [1, 2, 3, 4, 5].map((line) => `src/wire/a.ts:${line} error`),
    );
  });

  it('lets the stack take only types from the link interface', () => {
    const text = "import { open } from '../link/link.js';";
    expect(placesOf({ 'src/stack/a.ts': text })).toEqual(['src/stack/a.ts:1 error']);
  });

  it('lets one file load the addon', () => {
    const text = "import load from 'node-gyp-build';";
    const places = placesOf({
      'package.json': '{ "dependencies": { "node-gyp-build": "*" } }',
      'src/link/native.ts': text,
      'src/link/tun.ts': text,
    });
    expect(places).toEqual(['src/link/tun.ts:1 error']);
  });

  it('refuses packages that are no dependency, and I/O in the core', () => {
    const places = placesOf({
      'package.json': '{ "dependencies": { "good": "*" } }',
      'src/tcp/a.ts':
        "import good from 'good/part';\nimport fs from 'node:fs';\nimport fs2 from 'fs';",
    });
    expect(places).toEqual(['src/tcp/a.ts:2 error', 'src/tcp/a.ts:3 error']);
  });
});

describe('clock, timers and entropy', () => {
  const uses = [
    'Date.now();',
    'new Date();',
    'performance.now();',
    'process.hrtime.bigint();',
    'setTimeout(f, 1);',
    'setInterval(f, 1);',
    'setImmediate(f);',
    'globalThis.setTimeout(f, 1);',
    'Math.random();',
    'randomBytes(4);',
    'crypto.getRandomValues(a);',
    'const later = { run: setTimeout };',
  ];

  it('are refused everywhere but in runtime/system.ts', () => {
    const text = uses.join('\n');
    expect(placesOf({ 'src/net/a.ts': text, 'src/runtime/system.ts': text })).toEqual(
      uses.map((_, index) => `src/net/a.ts:${index + 1} error`),
    );
  });

  it('are partly open to the command and the services', () => {
    const text = 'setTimeout(f, 1);\nDate.now();\nnew Date();\nMath.random();';
    expect(placesOf({ 'src/cli/a.ts': text })).toEqual(['src/cli/a.ts:4 error']);
  });

  it('are not confused with members of the same name', () => {
    const text = `
      socket.setTimeout(100);
      class Socket { setTimeout(ms: number) { return new Date(ms); } }
    `;
    expect(placesOf({ 'src/net/a.ts': text })).toEqual([]);
  });
});

describe('state', () => {
  it('is assigned only in transition()', () => {
    copyTypes();
    const tcb = `
      import { State } from './state.js';
      export class Tcb {
        state: State;
        constructor() { this.state = State.CLOSED; }
        listen() { this.state = State.LISTEN; }
      }`;
    const change = (name: string) => `
      import { Tcb } from '../tcp/tcb.js';
      import { State } from '../tcp/state.js';
      export function ${name}(tcb: Tcb, to: State) {
        tcb.state = to;
        tcb['state'] = State.LISTEN;
      }`;
    const places = placesOf({
      'src/tcp/tcb.ts': tcb,
      'src/tcp/transition.ts': change('transition'),
      'src/tcp/input.ts': change('input'),
      'src/stack/host.ts': change('transition'),
    });
    expect(places).toEqual([
      'src/stack/host.ts:5 error',
      'src/stack/host.ts:6 error',
      'src/tcp/input.ts:5 error',
      'src/tcp/input.ts:6 error',
      'src/tcp/tcb.ts:6 error',
    ]);
  });

  it('of another kind is no concern', () => {
    copyTypes();
    const text = "const door = { state: 'open' };\ndoor.state = 'shut';\n";
    expect(placesOf({ 'src/stack/door.ts': text })).toEqual([]);
  });
});

describe('sequence numbers', () => {
  it('are never compared, added or stepped as plain numbers', () => {
    copyTypes();
    const bad = [
      'a < b',
      'a <= 5',
      '5 > b',
      'a >= b',
      'a - b',
      'a + b',
      'a++',
      'Math.max(a, b)',
      'c! < b',
    ];
    const text = [
      "import type { Seq } from '../base/seq.js';",
      'declare let a: Seq; declare let b: Seq; declare let c: Seq | null;',
      ...bad.map((expression) => `${expression};`),
    ].join('\n');
    expect(placesOf({ 'src/tcp/a.ts': text })).toEqual(
      bad.map((_, index) => `src/tcp/a.ts:${index + 3} error`),
    );
  });

  it('may be compared with the functions of base/seq and for equality', () => {
    copyTypes();
    const text = `
      import { add, diff, lt, toUint32 } from '../base/seq.js';
      import type { Seq } from '../base/seq.js';
      export const f = (a: Seq, b: Seq) =>
        lt(a, b) || a === b || diff(a, b) < 5 || toUint32(a) > 7 || add(a, 1) === b;
    `;
    expect(placesOf({ 'src/tcp/a.ts': text })).toEqual([]);
  });
});

describe('habits', () => {
  it('refuse await at top level, and only there', () => {
    const text = 'await f();\nfor await (const a of b) f(a);\nasync function g() { await f(); }';
    expect(placesOf({ 'src/net/a.ts': text })).toEqual([
      'src/net/a.ts:1 error',
      'src/net/a.ts:2 error',
    ]);
  });

  it('warn of files past 500 lines', () => {
    tree.write({ 'src/net/a.ts': 'f();\n'.repeat(500), 'src/net/b.ts': 'f();\n'.repeat(501) });
    expect(checkHouse(tree.root)).toEqual([
      {
        file: 'src/net/b.ts',
        line: 501,
        severity: 'warning',
        message: expect.stringContaining('501 lines'),
      },
    ]);
  });

  it('refuse what was left behind, in comments and not in strings', () => {
    const places = placesOf({
      'src/net/a.ts': "f(); // TODO later\n/* a\n FIXME */ g();\n// @ts-ignore\nh('TODO');",
      'native/a.cc': '\n// TODO\n',
    });
    expect(places).toEqual([
      'native/a.cc:2 error',
      'src/net/a.ts:1 error',
      'src/net/a.ts:3 error',
      'src/net/a.ts:4 error',
    ]);
  });

  it('refuse tests that are singled out, or skipped without a reason', () => {
    const text = [
      "it.only('a', f);",
      "it.skip('b', f);",
      '// the kernel here is too old for it',
      "describe.skip('c', f);",
      "it('d', (context) => context.skip());",
      "it('e', (context) => context.skip('no TUN'));",
      'reader.skip(4);',
    ].join('\n');
    expect(placesOf({ 'test/a.test.ts': text })).toEqual([
      'test/a.test.ts:1 error',
      'test/a.test.ts:2 error',
      'test/a.test.ts:5 error',
    ]);
  });

  it('refuse a lock file that names a registry', () => {
    const text = '{\n  "resolved": "https://registry.example/a.tgz"\n}';
    expect(placesOf({ 'package-lock.json': text })).toEqual(['package-lock.json:2 error']);
  });
});

describe('scripts/check', () => {
  const script = join(PROJECT, 'scripts/check');

  it('prints a line for each finding and exits 1 on errors', () => {
    tree.write({ 'src/tcp/a.ts': 'Date.now();' });
    const { status, stdout } = spawnSync(script, [tree.root], { encoding: 'utf8' });
    expect(stdout).toMatch(
      /^src\/tcp\/a\.ts:1: error: uses Date\.now: .+\n1 errors, 0 warnings\n$/,
    );
    expect(status).toBe(1);
  });

  it('exits 0 on warnings alone, and prints JSON', () => {
    tree.write({ 'src/net/a.ts': 'f();\n'.repeat(501) });
    const stdout = execFileSync(script, ['--json', tree.root], { encoding: 'utf8' });
    expect(JSON.parse(stdout)).toMatchObject([{ file: 'src/net/a.ts', severity: 'warning' }]);
  });

  it('exits 2 on wrong usage', () => {
    const { status, stderr } = spawnSync(script, ['--colour'], { encoding: 'utf8' });
    expect(stderr).toMatch(/--colour/);
    expect(status).toBe(2);
  });
});
