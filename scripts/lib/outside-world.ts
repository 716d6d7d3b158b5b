import ts from 'typescript';
import type { Finding } from './finding.js';
import type { Source } from './sources.js';
import { finding } from './sources.js';

const WORLD_FILE = 'src/runtime/system.ts';

const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate']);
const ENTROPY = new Set([
  'randomBytes',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'getRandomValues',
]);
const MEMBERS = new Set([
  'performance.now',
  'performance.timeOrigin',
  'process.hrtime',
  'Math.random',
]);

/** One file reads the clock and entropy and sets timers, so that a simulation repeats itself. */
export function checkOutsideWorld(sources: readonly Source[]): Finding[] {
  const findings: Finding[] = [];
  for (const source of sources) {
    if (!source.file.startsWith('src/') || source.file === WORLD_FILE) continue;
    const edge = /^src\/(?:cli|services)\//.test(source.file);
    const visit = (node: ts.Node): void => {
      const what = worldAccess(node);
      if (what !== null && !(edge && (TIMERS.has(what) || what.includes('Date')))) {
        findings.push(
          finding(
            source,
            node,
            `uses ${what}: only ${WORLD_FILE} touches clock, timers and entropy`,
          ),
        );
      }
      ts.forEachChild(node, visit);
    };
    visit(source.ast);
  }
  return findings;
}

function worldAccess(node: ts.Node): string | null {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const owner = node.expression.text;
    const name = `${owner}.${node.name.text}`;
    if (name === 'Date.now' || MEMBERS.has(name)) return name;
    if (owner === 'globalThis' && TIMERS.has(node.name.text)) return node.name.text;
    if ((owner === 'crypto' || owner === 'webcrypto') && ENTROPY.has(node.name.text)) return name;
    return null;
  }
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression)) {
    return node.expression.text === 'Date' && !node.arguments?.length ? 'new Date()' : null;
  }
  if (!ts.isIdentifier(node) || !(TIMERS.has(node.text) || ENTROPY.has(node.text))) return null;
  return isReference(node) ? node.text : null;
}

/** True for a name that stands for a variable; false for a member, a declaration or a key. */
function isReference(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isImportSpecifier(parent)) return true;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isTypeQueryNode(parent) || ts.isQualifiedName(parent)) return false;
  return !(
    ts.isMethodDeclaration(parent) ||
    ts.isMethodSignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isPropertySignature(parent) ||
    ts.isParameter(parent) ||
    ts.isVariableDeclaration(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isBindingElement(parent)
  );
}
