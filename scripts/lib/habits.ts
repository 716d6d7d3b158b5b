import * as fs from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import type { Finding } from './finding.js';
import type { Source } from './sources.js';
import { finding, findingAt, listFiles } from './sources.js';

const MAX_LINES = 500;
const LEFTOVER = /\b(?:TODO|FIXME|XXX)\b/;
const SILENCED = /@ts-(?:ignore|nocheck)\b/;
const TEST_FUNCTIONS = /^(?:it|test|describe|suite|bench)\b/;

/** `require('tuntcp')` has to work, and cannot for a module that awaits while it loads. */
export function checkTopLevelAwait(sources: readonly Source[]): Finding[] {
  const findings: Finding[] = [];
  for (const source of sources) {
    if (!source.file.startsWith('src/')) continue;
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node)) return;
      const waits =
        ts.isAwaitExpression(node) ||
        (ts.isForOfStatement(node) && node.awaitModifier !== undefined);
      if (waits) {
        findings.push(
          finding(source, node, 'awaits at top level, which breaks require() of the package'),
        );
      }
      ts.forEachChild(node, visit);
    };
    visit(source.ast);
  }
  return findings;
}

export function checkLength(sources: readonly Source[]): Finding[] {
  return sources
    .filter(({ file }) => file.startsWith('src/'))
    .map(({ file, text }) => ({ file, lines: text.replace(/\n$/, '').split('\n').length }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ file, lines }) => ({
      file,
      line: MAX_LINES + 1,
      severity: 'warning',
      message: `has ${lines} lines; past ${MAX_LINES} it wants to be two files`,
    }));
}

/** Work that was left for later, silenced errors, and tests that were switched off or singled out. */
export function checkLeftovers(sources: readonly Source[], root: string): Finding[] {
  const findings: Finding[] = [];
  for (const source of sources) {
    const comments = commentsOf(source);
    for (const { text, at } of comments) {
      const left = LEFTOVER.exec(text);
      if (left) findings.push(findingAt(source, at + left.index, `leaves a ${left[0]} behind`));
      const silenced = SILENCED.exec(text);
      if (silenced) {
        findings.push(
          findingAt(source, at + silenced.index, `silences the compiler with ${silenced[0]}`),
        );
      }
    }
    findings.push(...switchedOffTests(source, comments));
  }
  return findings.concat(nativeLeftovers(root));
}

interface Comment {
  text: string;
  at: number;
}

function switchedOffTests(source: Source, comments: readonly Comment[]): Finding[] {
  const findings: Finding[] = [];
  const lineOf = (position: number) => source.ast.getLineAndCharacterOfPosition(position).line;
  const commented = new Set(
    comments.flatMap(({ text, at }) => [lineOf(at), lineOf(at + text.length)]),
  );
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const ofTests = TEST_FUNCTIONS.test(node.expression.expression.getText());
      const name = node.expression.name.text;
      const line = lineOf(node.getStart());
      if (ofTests && name === 'only') {
        findings.push(finding(source, node, 'singles a test out with .only()'));
      } else if (ofTests && name === 'skip' && !commented.has(line) && !commented.has(line - 1)) {
        findings.push(finding(source, node, 'skips a test without a comment that says why'));
      } else if (
        /^(?:ctx|context)$/.test(node.expression.expression.getText()) &&
        name === 'skip'
      ) {
        const reasoned = node.arguments.some((argument) => !isFlag(argument));
        if (!reasoned) findings.push(finding(source, node, 'skips a test without a reason'));
      }
    }
    ts.forEachChild(node, visit);
  };
  if (source.file.startsWith('test/')) visit(source.ast);
  return findings;
}

function isFlag(node: ts.Expression): boolean {
  return node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword;
}

function commentsOf(source: Source): Comment[] {
  const found = new Map<number, Comment>();
  const { text, ast } = source;
  const visit = (node: ts.Node): void => {
    for (const range of ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []) {
      found.set(range.pos, { text: text.slice(range.pos, range.end), at: range.pos });
    }
    for (const range of ts.getTrailingCommentRanges(text, node.getEnd()) ?? []) {
      found.set(range.pos, { text: text.slice(range.pos, range.end), at: range.pos });
    }
    for (const child of node.getChildren(ast)) visit(child);
  };
  visit(ast);
  return [...found.values()];
}

function nativeLeftovers(root: string): Finding[] {
  return listFiles(root, 'native', /\.(?:cc|cpp|c|h|hpp)$/).flatMap((file) =>
    fs
      .readFileSync(path.join(root, file), 'utf8')
      .split('\n')
      .flatMap((text, index): Finding[] => {
        const left = LEFTOVER.exec(text);
        const message = `leaves a ${left?.[0]} behind`;
        return left ? [{ file, line: index + 1, severity: 'error', message }] : [];
      }),
  );
}

/** A lock file that names a registry's host works only where that host can be reached. */
export function checkLockFile(root: string): Finding[] {
  const file = 'package-lock.json';
  if (!fs.existsSync(path.join(root, file))) return [];
  return fs
    .readFileSync(path.join(root, file), 'utf8')
    .split('\n')
    .flatMap((text, index): Finding[] =>
      /"resolved":\s*"(?:https?|git)/.test(text)
        ? [
            {
              file,
              line: index + 1,
              severity: 'error',
              message: 'names the host of a registry (resolved)',
            },
          ]
        : [],
    );
}
