import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeMatrix } from './conformance-page.js';
import type { Finding } from './finding.js';
import {
  type Document,
  REQUIREMENTS_DIR,
  type Requirement,
  readRequirements,
} from './requirements.js';
import { findingAt, readSources, type Source } from './sources.js';
import { clausesOf, type Tag, tagsOf } from './tags.js';

export const PAGE = 'docs/conformance.md';

/** A requirement with what the sources say of it. */
export interface Entry {
  requirement: Requirement;
  /** `file:declaration` in `src/`. */
  places: string[];
  /** File and title. */
  tests: { file: string; title: string }[];
}

export interface Chapter {
  document: Document;
  entries: Entry[];
}

/** The requirements joined with the tags in `src/` and `test/`, and the page that shows it. */
export interface Matrix {
  chapters: Chapter[];
  page: string;
  findings: Finding[];
}

export function joinMatrix(root: string): Matrix {
  const documents = readRequirements(root);
  const src = readSources(root, ['src']);
  const test = readSources(root, ['test']);
  const shown = new Map<string, { file: string; title: string }[]>();
  const placed = new Map<string, string[]>();
  const findings: Finding[] = [];
  const known = new Map<string, Requirement>();
  for (const requirement of documents.flatMap(({ requirements }) => requirements)) {
    if (known.has(requirement.id)) findings.push(about(requirement, 'is there twice'));
    known.set(requirement.id, requirement);
  }
  for (const tag of [...src, ...test].flatMap(tagsOf)) {
    if (!known.has(tag.id)) {
      findings.push(at(tag, `${tag.id} is in no file of ${REQUIREMENTS_DIR}`));
    } else if (tag.file.startsWith('src/')) {
      add(placed, tag.id, placeOf(tag));
    } else if (tag.file.endsWith('.test.ts')) {
      if (tag.place === null) findings.push(at(tag, `${tag.id} is at no test`));
      else addTest(shown, tag.id, tag.file, tag.place);
    }
  }
  const cited = citations(src);
  const chapters = documents.map((document) => ({
    document,
    entries: document.requirements.map((requirement) => ({
      requirement,
      places: placesOf(document, requirement, placed, cited),
      tests: shown.get(requirement.id) ?? [],
    })),
  }));
  findings.push(...gaps(chapters, known));
  return { chapters, page: writeMatrix(chapters), findings };
}

/** What keeps the matrix from being whole, and a page that says something else. */
export function checkConformance(root: string): Finding[] {
  if (!fs.existsSync(path.join(root, REQUIREMENTS_DIR))) return [];
  const { page, findings } = joinMatrix(root);
  const file = path.join(root, PAGE);
  if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== page) {
    const message = 'is not what the tags say; scripts/conformance writes it anew';
    findings.push({ file: PAGE, line: 1, severity: 'error', message });
  }
  return findings;
}

function gaps(chapters: readonly Chapter[], known: Map<string, Requirement>): Finding[] {
  const tested = new Set<string>();
  for (const { entries } of chapters) {
    for (const { requirement, tests } of entries) {
      if (tests.length > 0) tested.add(requirement.id);
    }
  }
  const findings: Finding[] = [];
  for (const { requirement, places } of chapters.flatMap(({ entries }) => entries)) {
    const { id, level, as, exception } = requirement;
    const same = as === '' ? requirement : known.get(as);
    if (same === undefined) {
      findings.push(about(requirement, `is said to be as ${as}, which there is not`));
      continue;
    }
    if (level === 'MAY' || exception !== '' || same.exception !== '') continue;
    if (!tested.has(id) && !tested.has(same.id)) {
      findings.push(about(requirement, `(${level}) has neither a test nor an exception`));
    } else if (as === '' && places.length === 0) {
      findings.push(about(requirement, `(${level}) is cited nowhere in src/`));
    }
  }
  return findings;
}

function citations(src: readonly Source[]): Map<string, string[]> {
  const cited = new Map<string, string[]>();
  for (const tag of src.flatMap(clausesOf)) add(cited, tag.id, placeOf(tag));
  return cited;
}

/** Where it has a tag, or else, if it is met, where its clause is cited. */
function placesOf(
  document: Document,
  requirement: Requirement,
  placed: Map<string, string[]>,
  cited: Map<string, string[]>,
): string[] {
  const clauses = requirement.exception === '' ? cited.get(clauseId(document, requirement)) : [];
  return placed.get(requirement.id) ?? clauses ?? [];
}

/** `RFC6298-5.4` for a requirement of that clause, whatever letter its own id has. */
function clauseId({ rfc }: Document, { section }: Requirement): string {
  return `RFC${rfc}-${/^\d+(?:\.\d+)*/.exec(section)?.[0]}`;
}

function placeOf({ file, place }: Tag): string {
  return place === null ? file : `${file}:${place}`;
}

function add(map: Map<string, string[]>, id: string, value: string): void {
  const values = map.get(id) ?? [];
  if (!values.includes(value)) map.set(id, [...values, value]);
}

function addTest(
  map: Map<string, { file: string; title: string }[]>,
  id: string,
  file: string,
  title: string,
): void {
  const tests = map.get(id) ?? [];
  if (tests.some((test) => test.file === file && test.title === title)) return;
  map.set(id, [...tests, { file, title }]);
}

function at({ source, position }: Tag, message: string): Finding {
  return findingAt(source, position, message);
}

function about({ file, line, id }: Requirement, message: string): Finding {
  return { file, line, severity: 'error', message: `${id} ${message}` };
}
