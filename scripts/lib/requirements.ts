import * as fs from 'node:fs';
import * as path from 'node:path';
import { listFiles } from './sources.js';

export const REQUIREMENTS_DIR = 'test/conformance/requirements';

const LEVELS = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY'] as const;
export type Level = (typeof LEVELS)[number];

/** The RFC that comes first. */
const MAIN = '9293';

const COLUMNS = 'id,level,statement,as,exception';

/** A numbered requirement of an RFC. */
export interface Requirement {
  /** `MUST-8` for those that RFC 9293 numbers, else `RFC7323-2.2-a`. */
  id: string;
  level: Level;
  statement: string;
  /** Another requirement that says the same; its tests and exception count for this one. */
  as: string;
  /** Why it is not met, or not in full; empty when it is. */
  exception: string;
  /** The heading it stands under: `3.7.1 Maximum Segment Size Option`. */
  section: string;
  file: string;
  line: number;
}

export interface Document {
  title: string;
  /** Number of the RFC. */
  rfc: string;
  requirements: Requirement[];
}

/**
 * The documents at `root`: RFC 9293, then the others in the order of their file names. A file is CSV with the columns of
 * {@link COLUMNS}; a line `#` gives the title of the document, `##` the heading of a section.
 * @throws Error that names file and line of what cannot be read
 */
export function readRequirements(root: string): Document[] {
  return listFiles(root, REQUIREMENTS_DIR, /\.csv$/)
    .map((file) => readDocument(root, file))
    .sort((a, b) => Number(b.rfc === MAIN) - Number(a.rfc === MAIN));
}

function readDocument(root: string, file: string): Document {
  const requirements: Requirement[] = [];
  let title = '';
  let section = '';
  let header = false;
  for (const [index, text] of fs
    .readFileSync(path.join(root, file), 'utf8')
    .split('\n')
    .entries()) {
    const at = `${file}:${index + 1}`;
    if (text === '') continue;
    if (text.startsWith('## ')) section = text.slice(3);
    else if (text.startsWith('# ')) title = text.slice(2);
    else if (!header && text === COLUMNS) header = true;
    else requirements.push({ ...parseRow(text, at), section, file, line: index + 1 });
  }
  const rfc = /^RFC (\d+)/.exec(title)?.[1];
  if (rfc === undefined) throw new Error(`${file}: no title "# RFC n: ..."`);
  return { title, rfc, requirements };
}

function parseRow(text: string, at: string): Omit<Requirement, 'section' | 'file' | 'line'> {
  const [id, level, statement, as = '', exception = '', ...rest] = splitRow(text);
  if (!id || !statement || rest.length > 0) throw new Error(`${at}: not of the form ${COLUMNS}`);
  if (!LEVELS.includes(level as Level)) throw new Error(`${at}: unknown level ${level}`);
  return { id, level: level as Level, statement, as, exception };
}

/** The fields of a line of CSV (RFC 4180). */
function splitRow(text: string): string[] {
  const fields: string[] = [];
  for (const match of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)) {
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
  }
  return fields;
}
