import * as path from 'node:path';
import ts from 'typescript';
import type { Finding } from './finding.js';
import type { Source } from './sources.js';
import { finding } from './sources.js';

const SEQ_FILE = 'src/base/seq.ts';
const STATE_FILE = 'src/tcp/state.ts';

const RELATIONAL = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.LessThanToken, 'lt()'],
  [ts.SyntaxKind.LessThanEqualsToken, 'leq()'],
  [ts.SyntaxKind.GreaterThanToken, 'gt()'],
  [ts.SyntaxKind.GreaterThanEqualsToken, 'geq()'],
]);

/** The rules that need types: arithmetic on sequence numbers, and who assigns a connection's state. */
export function checkTypes(sources: readonly Source[], root: string): Finding[] {
  const names = sources.filter(({ file }) => file.startsWith('src/')).map(({ file }) => file);
  if (!names.includes(SEQ_FILE) && !names.includes(STATE_FILE)) return [];
  const program = ts.createProgram(
    names.map((file) => path.join(root, file)),
    {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      noEmit: true,
      types: [],
    },
  );
  const checker = program.getTypeChecker();
  const declared = (file: string, name: string): ts.Type | null => {
    const ast = program.getSourceFile(path.join(root, file));
    const module = ast && checker.getSymbolAtLocation(ast);
    const symbol = module && checker.tryGetMemberInModuleExports(name, module);
    return symbol ? checker.getDeclaredTypeOfSymbol(symbol) : null;
  };
  const seqType = declared(SEQ_FILE, 'Seq');
  const stateType = declared(STATE_FILE, 'State');
  const findings: Finding[] = [];
  for (const file of names) {
    const ast = program.getSourceFile(path.join(root, file));
    if (ast === undefined) continue;
    const source: Source = { file, text: ast.text, ast };
    if (seqType !== null && file !== SEQ_FILE) {
      const isSeq = (node: ts.Node) => hasConstituent(checker.getTypeAtLocation(node), seqType);
      findings.push(...sequenceArithmetic(source, isSeq));
    }
    if (stateType !== null && /^src\/(?:tcp|stack)\//.test(file)) {
      findings.push(...stateAssignments(source, checker, stateType));
    }
  }
  return findings;
}

/** Sequence numbers wrap, so order and distance have meaning only modulo 2^32 (RFC 9293 §3.4). */
function sequenceArithmetic(source: Source, isSeq: (node: ts.Node) => boolean): Finding[] {
  const findings: Finding[] = [];
  const report = (node: ts.Node, message: string) => findings.push(finding(source, node, message));
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node)) {
      const kind = node.operatorToken.kind;
      const instead = RELATIONAL.get(kind);
      if (instead !== undefined && (isSeq(node.left) || isSeq(node.right))) {
        report(
          node,
          `compares sequence numbers with ${node.operatorToken.getText()}: use ${instead}`,
        );
      } else if (isSum(kind) && isSeq(node.left) && isSeq(node.right)) {
        const sign = node.operatorToken.getText();
        const right =
          sign === '-' ? 'use diff()' : 'a sum of two has no meaning, add() takes a count';
        report(node, `two sequence numbers with ${sign}: ${right}`);
      }
    } else if (
      (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) &&
      (node.operator === ts.SyntaxKind.PlusPlusToken ||
        node.operator === ts.SyntaxKind.MinusMinusToken) &&
      isSeq(node.operand)
    ) {
      report(node, 'steps a sequence number out of 32 bits: use add()');
    } else if (
      ts.isCallExpression(node) &&
      /^Math\.(?:min|max)$/.test(node.expression.getText()) &&
      node.arguments.some(isSeq)
    ) {
      report(
        node,
        `${node.expression.getText()} on sequence numbers: use min() or max() of base/seq`,
      );
    }
    ts.forEachChild(node, visit);
  };
  visit(source.ast);
  return findings;
}

function isSum(kind: ts.SyntaxKind): boolean {
  return kind === ts.SyntaxKind.MinusToken || kind === ts.SyntaxKind.PlusToken;
}

/** One function owns every transition (RFC 9293 §3.3.2). */
function stateAssignments(source: Source, checker: ts.TypeChecker, state: ts.Type): Finding[] {
  const findings: Finding[] = [];
  const visit = (node: ts.Node): void => {
    if (source.file.startsWith('src/tcp/') && isTransition(node)) return;
    const target = assignedTo(node);
    if (target !== null && isStateMember(target) && !isBirth(target)) {
      if (hasConstituent(checker.getTypeAtLocation(target), state)) {
        findings.push(
          finding(source, node, `assigns ${target.getText()}: only transition() changes a state`),
        );
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source.ast);
  return findings;
}

function isTransition(node: ts.Node): boolean {
  return (
    (ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) &&
    node.name !== undefined &&
    node.name.getText() === 'transition'
  );
}

/** `this.state = ...` in a constructor: the state that a connection begins with is no transition. */
function isBirth(target: ts.Expression): boolean {
  const ofThis =
    ts.isPropertyAccessExpression(target) && target.expression.kind === ts.SyntaxKind.ThisKeyword;
  return ofThis && ts.findAncestor(target, ts.isFunctionLike)?.kind === ts.SyntaxKind.Constructor;
}

function assignedTo(node: ts.Node): ts.Expression | null {
  if (!ts.isBinaryExpression(node)) return null;
  const kind = node.operatorToken.kind;
  const assigns = kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
  return assigns ? node.left : null;
}

function isStateMember(node: ts.Expression): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'state';
  return (
    ts.isElementAccessExpression(node) &&
    ts.isStringLiteralLike(node.argumentExpression) &&
    node.argumentExpression.text === 'state'
  );
}

/** True when `type` is `wanted`, a member of it (of an enum), or a union with one of them in it. */
function hasConstituent(type: ts.Type, wanted: ts.Type): boolean {
  if (type === wanted) return true;
  const members = wanted.isUnion() ? wanted.types : [wanted];
  const parts = type.isUnion() ? type.types : [type];
  return parts.some((part) => members.includes(part));
}
