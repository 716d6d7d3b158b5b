import * as fs from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import type { Finding } from './finding.js';
import type { Source } from './sources.js';
import { finding } from './sources.js';

/** Which directories of src/ each directory may import. Files of src/ itself are `root`. */
const SEES: Readonly<Record<string, readonly string[]>> = {
  base: [],
  wire: ['base'],
  runtime: ['base'],
  tcp: ['base', 'wire'],
  link: ['base', 'wire', 'runtime'],
  stack: ['base', 'wire', 'tcp', 'runtime', 'link'],
  net: ['base', 'wire', 'tcp', 'stack', 'runtime', 'link'],
  node: ['base', 'wire', 'tcp', 'stack', 'net', 'runtime', 'link'],
  workers: ['base', 'wire', 'tcp', 'stack', 'net', 'node', 'runtime', 'link', 'root'],
  services: ['base', 'wire', 'tcp', 'stack', 'net', 'runtime', 'root'],
  cli: [
    'base',
    'wire',
    'tcp',
    'stack',
    'net',
    'node',
    'services',
    'workers',
    'runtime',
    'link',
    'root',
  ],
  root: ['base', 'wire', 'tcp', 'stack', 'net', 'node', 'services', 'runtime', 'link', 'root'],
};

/** The core gets packets and the time as arguments, so modules that reach outside stay out. */
const SANS_IO = new Set(['base', 'wire', 'tcp', 'stack']);
const OUTSIDE =
  /^(?:node:)?(?:child_process|cluster|dgram|dns|fs|http2?|https|net|perf_hooks|process|timers|tls|tty|worker_threads)(?:\/|$)/;

/** Parts of wire/ that are about packets, which tcp/ does not know. */
const PACKET_FILES = /^src\/wire\/(?:ipv4|icmp|virtio|fragment)/;

const ADDON_FILE = 'src/link/native.ts';

interface Import {
  node: ts.Node;
  specifier: string;
  typeOnly: boolean;
}

/** Imports run one way, and one file loads the addon. */
export function checkLayers(sources: readonly Source[], root: string): Finding[] {
  const dependencies = readDependencies(root);
  const findings: Finding[] = [];
  for (const source of sources) {
    if (!source.file.startsWith('src/')) continue;
    for (const found of importsOf(source.ast)) {
      const message = found.specifier.startsWith('.')
        ? judgeRelative(source.file, found)
        : judgePackage(source.file, found.specifier, dependencies);
      if (message !== null) findings.push(finding(source, found.node, message));
    }
  }
  return findings;
}

function judgeRelative(from: string, found: Import): string | null {
  const target = path.posix.join(path.posix.dirname(from), found.specifier).replace(/\.js$/, '.ts');
  if (!target.startsWith('src/')) return `imports ${found.specifier}, which is outside src/`;
  if (!found.specifier.endsWith('.js')) return `imports ${found.specifier} without its ending .js`;
  const layer = layerOf(from);
  const other = layerOf(target);
  const sees = SEES[layer];
  if (sees === undefined)
    return `src/${layer}/ has no place in the order of imports (scripts/lib/layers.ts)`;
  if (layer === other) return null;
  if (!sees.includes(other)) return `${layer}/ must not import ${other}/: imports run one way`;
  if (layer === 'tcp' && PACKET_FILES.test(target)) {
    return `tcp/ must not import ${target.slice(4)}: it knows segments, not the packets that carry them`;
  }
  if (layer === 'stack' && other === 'link') {
    if (target !== 'src/link/link.ts') return 'stack/ knows only the link interface, link/link.ts';
    if (!found.typeOnly) return 'stack/ imports only types from link/link.ts (import type)';
  }
  return null;
}

function judgePackage(from: string, specifier: string, dependencies: Set<string>): string | null {
  if (specifier === 'node-gyp-build' || specifier.endsWith('.node')) {
    return from === ADDON_FILE ? null : `only ${ADDON_FILE} loads the addon`;
  }
  if (specifier.startsWith('node:')) {
    const layer = layerOf(from);
    return SANS_IO.has(layer) && OUTSIDE.test(specifier)
      ? `${layer}/ must not import ${specifier}: the core does no I/O and reads no clock`
      : null;
  }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  return dependencies.has(name)
    ? null
    : `imports ${specifier}, which is no dependency in package.json (a module of Node.js is spelt node:)`;
}

function layerOf(file: string): string {
  const parts = file.split('/');
  return parts.length > 2 ? parts[1]! : 'root';
}

function importsOf(ast: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      found.push({ node, specifier: node.moduleSpecifier.text, typeOnly });
    } else if (
      ts.isExportDeclaration(node) &&
      node.moduleSpecifier !== undefined &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      found.push({ node, specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly });
    } else if (
      ts.isImportTypeNode(node) &&
      ts.isLiteralTypeNode(node.argument) &&
      ts.isStringLiteral(node.argument.literal)
    ) {
      found.push({ node, specifier: node.argument.literal.text, typeOnly: true });
    } else if (ts.isCallExpression(node)) {
      const argument = node.arguments[0];
      const loads =
        node.expression.kind === ts.SyntaxKind.ImportKeyword ||
        (ts.isIdentifier(node.expression) && node.expression.text === 'require');
      if (loads && argument !== undefined && ts.isStringLiteralLike(argument)) {
        found.push({ node, specifier: argument.text, typeOnly: false });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(ast);
  return found;
}

function readDependencies(root: string): Set<string> {
  const file = path.join(root, 'package.json');
  if (!fs.existsSync(file)) return new Set();
  const manifest = JSON.parse(fs.readFileSync(file, 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  return new Set(Object.keys(manifest.dependencies ?? {}));
}
