import ts from 'typescript';
import type { Source } from './sources.js';

/** An id of a requirement where it is cited. */
export interface Tag {
  id: string;
  file: string;
  position: number;
  source: Source;
  /** In `src/`: the declaration; in a test file: the test; null at neither. */
  place: string | null;
}

const ID = /\b(?:(?:MUST|SHLD|MAY|REC)-\d+|RFC\d{3,4}-\d+(?:\.\d+)*(?:-[a-z]+)?)\b/g;
/** `RFC 6298 §5.4`, `RFC 9293 §3.6.1, §3.10.7.4`; a line of a comment may end within. */
const CLAUSES =
  /RFC (\d{3,4}),?\s(?:\s*(?:\*|\/\/)\s)?(§\d+(?:\.\d+)*(?:(?:, | and | to )§?\d+(?:\.\d+)+)*)/g;
const TESTS = new Set(['scripted', 'conversation', 'test', 'it']);

/** Every id in `source`, with the declaration or test that it stands in or before. */
export function tagsOf(source: Source): Tag[] {
  const { file } = source;
  const placeAt = file.endsWith('.test.ts') ? testAt : declarationAt;
  return [...source.text.matchAll(ID)].map((match) => ({
    id: match[0],
    file,
    position: match.index,
    source,
    place: placeAt(source, match.index),
  }));
}

/** Clauses of RFCs that comments and messages cite, as ids: `RFC6298-5.4`. */
export function clausesOf(source: Source): Tag[] {
  const tags: Tag[] = [];
  for (const match of source.text.matchAll(CLAUSES)) {
    for (const [clause] of match[2]!.matchAll(/\d+(?:\.\d+)*/g)) {
      const id = `RFC${match[1]}-${clause}`;
      const place = declarationAt(source, match.index);
      tags.push({ id, file: source.file, position: match.index, source, place });
    }
  }
  return tags;
}

/** Nodes that `position` lies in, or in the comments before, outermost first. */
function nodesAt(source: Source, position: number): ts.Node[] {
  const nodes: ts.Node[] = [];
  const descend = (node: ts.Node): void => {
    if (position < node.getFullStart() || position >= node.end) return;
    nodes.push(node);
    ts.forEachChild(node, descend);
  };
  ts.forEachChild(source.ast, descend);
  return nodes;
}

function declarationAt(source: Source, position: number): string | null {
  const names: string[] = [];
  for (const node of nodesAt(source, position)) {
    const name = declaredName(node);
    if (name !== null) names.push(name);
  }
  return names.length === 0 ? null : names.join('.');
}

function declaredName(node: ts.Node): string | null {
  if (ts.isVariableStatement(node)) {
    if (!ts.isSourceFile(node.parent)) return null;
    return node.declarationList.declarations[0]!.name.getText();
  }
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  if (
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isEnumDeclaration(node) ||
    ts.isClassElement(node) ||
    ts.isTypeElement(node) ||
    ts.isEnumMember(node)
  ) {
    return node.name?.getText() ?? null;
  }
  return null;
}

function testAt(source: Source, position: number): string | null {
  let title: string | null = null;
  for (const node of nodesAt(source, position)) {
    if (ts.isExpressionStatement(node) && ts.isCallExpression(node.expression)) {
      title = testTitle(node.expression) ?? title;
    }
  }
  return title;
}

/** The title in a call of `test()` or one like it, with `test.each(...)()` among them. */
function testTitle(call: ts.CallExpression): string | null {
  let callee: ts.Expression = call.expression;
  while (ts.isCallExpression(callee) || ts.isPropertyAccessExpression(callee)) {
    callee = callee.expression;
  }
  const [title] = call.arguments;
  if (!ts.isIdentifier(callee) || !TESTS.has(callee.text) || title === undefined) return null;
  if (ts.isStringLiteralLike(title)) return title.text;
  return ts.isTemplateExpression(title) ? title.getText().slice(1, -1) : null;
}
