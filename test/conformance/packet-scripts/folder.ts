import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type FindPreamble, parseScripts } from './parse.js';
import type { Script } from './script.js';

const PREAMBLES = 'preambles';
const ENDING = '.pkt';

/** Preambles in `preambles/` of a folder of scripts; files are named as seen from `root`. */
export function preamblesOf(scripts: string, root: string): FindPreamble {
  return (name) => {
    const path = join(scripts, PREAMBLES, `${name}${ENDING}`);
    try {
      return { file: relative(root, path), text: readFileSync(path, 'utf8') };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  };
}

/** Paths of all scripts below a folder, in order; preambles are none. */
export function listScripts(scripts: string): string[] {
  return readdirSync(scripts, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ENDING) && !path.startsWith(`${PREAMBLES}/`))
    .sort()
    .map((path) => join(scripts, path));
}

/** The scripts in a file. @throws ScriptError for a mistake in it */
export function readScripts(path: string, find: FindPreamble, root: string): Script[] {
  return parseScripts(relative(root, path) || path, readFileSync(path, 'utf8'), find);
}
