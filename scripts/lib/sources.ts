import * as fs from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import type { Finding } from './finding.js';

/** A file of TypeScript with its syntax tree. */
export interface Source {
  /** Path relative to the root, with `/`. */
  file: string;
  text: string;
  ast: ts.SourceFile;
}

/** Paths relative to `root` of the files below `directory` whose names match, sorted. */
export function listFiles(root: string, directory: string, pattern: RegExp): string[] {
  const top = path.join(root, directory);
  if (!fs.existsSync(top)) return [];
  return fs
    .readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)))
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => !file.includes('node_modules/'))
    .sort();
}

export function readSources(root: string, directories: readonly string[]): Source[] {
  return directories
    .flatMap((directory) => listFiles(root, directory, /\.[cm]?ts$/))
    .map((file) => {
      const text = fs.readFileSync(path.join(root, file), 'utf8');
      return { file, text, ast: ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true) };
    });
}

/** An error at the place where `node` begins. */
export function finding(source: Source, node: ts.Node, message: string): Finding {
  return findingAt(source, node.getStart(source.ast), message);
}

export function findingAt(source: Source, position: number, message: string): Finding {
  const { line } = source.ast.getLineAndCharacterOfPosition(position);
  return { file: source.file, line: line + 1, severity: 'error', message };
}
