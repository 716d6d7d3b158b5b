import { describe, expect, it } from 'vitest';
import { checkConformance, joinMatrix, PAGE } from '../../../scripts/lib/conformance.js';
import { ScratchTree } from './scratch-tree.js';

const tree = new ScratchTree();

const CSV = 'test/conformance/requirements/rfc9293.csv';
// Written apart, or they would be unknown tags themselves.
const FIRST = ['MUST', '901'].join('-');
const SECOND = ['SHLD', '902'].join('-');
const THIRD = ['RFC9999', '5.1-a'].join('-');

function csv(...rows: string[]): Record<string, string> {
  const head = '# RFC 9293: TCP\nid,level,statement,as,exception\n## 3.1 Header';
  return { [CSV]: `${head}\n${rows.join('\n')}\n` };
}

/** Findings as `file:line message`, but for the page that is not written. */
function findings(files: Record<string, string>): string[] {
  tree.write(files);
  return joinMatrix(tree.root).findings.map(
    ({ file, line, message }) => `${file}:${line} ${message}`,
  );
}

describe('the requirements and the tags', () => {
  it('are whole when each has a test and a place', () => {
    const src = `export class A {\n  /** ${FIRST} */\n  b(): void {}\n}\n// ${SECOND}\nexport const c = 1;\n`;
    const test = `describe('d', () => {\n  // ${SECOND}\n  scripted('${FIRST}: e', {}, () => {});\n});\n`;
    expect(
      findings({
        ...csv(`${FIRST},MUST,"One, two"`, `${SECOND},SHOULD,Three`),
        'src/a.ts': src,
        'test/a.test.ts': test,
      }),
    ).toEqual([]);
    const { page } = joinMatrix(tree.root);
    expect(page).toContain(
      `| ${FIRST} | MUST | One, two | \`a.ts:A.b\` | \`a.test.ts\`: ${FIRST}: e |`,
    );
    expect(page).toContain(`| ${SECOND} | SHOULD | Three | \`a.ts:c\` |`);
    expect(page).toContain('Of 1 MUSTs, 1 are shown by tests and 0 have an exception.');
  });

  it('a MUST or SHOULD wants a test or an exception, a MAY neither', () => {
    const rows = [`${FIRST},MUST,A`, `${SECOND},MAY,B`, `${THIRD},SHOULD NOT,C,,because`];
    expect(findings(csv(...rows))).toEqual([
      `${CSV}:4 ${FIRST} (MUST) has neither a test nor an exception`,
    ]);
  });

  it('a requirement may be as another, which must be there', () => {
    const test = { 'test/a.test.ts': `// ${FIRST}\ntest('t', () => {});\n` };
    const src = { 'src/a.ts': `// ${FIRST}\nconst a = 1;\n` };
    const rows = [`${FIRST},MUST,A`, `${SECOND},MUST,B,${FIRST}`, `${THIRD},MUST,C,no`];
    expect(findings({ ...csv(...rows), ...test, ...src })).toEqual([
      `${CSV}:6 ${THIRD} is said to be as no, which there is not`,
    ]);
  });

  it('an id that is unknown, or in a test file at no test, is found', () => {
    const files = {
      ...csv(`${FIRST},MAY,A`),
      'src/a.ts': `\n// ${SECOND}\n`,
      'test/a.test.ts': `describe('${FIRST}', () => {});\n`,
      'test/support/b.ts': `// ${FIRST}\n// ${THIRD}\n`,
    };
    expect(findings(files)).toEqual([
      `src/a.ts:2 ${SECOND} is in no file of test/conformance/requirements`,
      `test/a.test.ts:1 ${FIRST} is at no test`,
      `test/support/b.ts:2 ${THIRD} is in no file of test/conformance/requirements`,
    ]);
  });

  it('the clause that src cites stands for a tag', () => {
    tree.write({
      [CSV]: `# RFC 9999: X\nid,level,statement,as,exception\n## 5.1 Y\n${THIRD},MUST,A\n`,
      'src/a.ts': '/** RFC 9999 §4 and\n * RFC 9999\n * §5.1. */\nexport function f(): void {}\n',
      'test/a.test.ts': `// ${THIRD}\ntest('t', () => {});\n`,
    });
    expect(joinMatrix(tree.root).findings).toEqual([]);
    expect(joinMatrix(tree.root).page).toContain('`a.ts:f`');
  });

  it('a line that cannot be read is named', () => {
    tree.write(csv(`${FIRST},MIGHT,A`));
    expect(() => joinMatrix(tree.root)).toThrow(`${CSV}:4: unknown level MIGHT`);
  });
});

describe('the page', () => {
  it('must be what the tags say', () => {
    tree.write(csv(`${FIRST},MAY,A`));
    const stale = [expect.objectContaining({ file: PAGE })];
    expect(checkConformance(tree.root)).toEqual(stale);
    tree.write({ [PAGE]: joinMatrix(tree.root).page });
    expect(checkConformance(tree.root)).toEqual([]);
    tree.write(csv(`${FIRST},MAY,B`));
    expect(checkConformance(tree.root)).toEqual(stale);
  });

  it('is not asked for where there are no requirements', () => {
    expect(checkConformance(tree.root)).toEqual([]);
  });
});
