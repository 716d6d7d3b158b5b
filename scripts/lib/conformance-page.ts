import type { Chapter, Entry } from './conformance.js';
import type { Level } from './requirements.js';

const INTRODUCTION = `# Conformance

Every numbered requirement of RFC 9293, and what the other documents ask of a TCP over IPv4: where it
is implemented, and which tests would fail if it were broken. \`scripts/conformance\` writes this page
from the requirements in \`test/conformance/requirements/\` and from the tags in \`src/\` and \`test/\`:
an id such as \`MUST-8\` or \`RFC7323-2.2-a\` in a comment or in the title of a test belongs to the
declaration or the test that it stands in or before. Where nothing in \`src/\` has the id, the places
that cite its clause are given. \`scripts/check\` fails on a MUST or SHOULD with neither a test nor an
exception, on an id that is unknown, and when this page is out of date.

An exception says why a requirement is not met, or not in full; tests beside it show what is done
instead.
`;

/** Places of one requirement that are named at most; the rest is counted. */
const MOST_PLACES = 4;

type Outcome = 'tested' | 'exception' | 'open';

/** The whole page as Markdown. */
export function writeMatrix(chapters: readonly Chapter[]): string {
  const entries = new Map(
    chapters.flatMap((chapter) => chapter.entries).map((entry) => [entry.requirement.id, entry]),
  );
  const sections = [INTRODUCTION, summary(chapters, entries)];
  for (const { document, entries: own } of chapters) {
    sections.push(`## ${document.title}\n`);
    for (const [heading, rows] of bySection(own)) {
      const lines = rows.map((entry) => row(entry, entries));
      sections.push(`### ${heading}\n\n${TABLE_HEAD}${lines.join('')}`);
    }
  }
  return sections.join('\n');
}

const TABLE_HEAD = '| Id | Level | Requirement | Where | Shown by |\n| - | - | - | - | - |\n';

function bySection(entries: readonly Entry[]): Map<string, Entry[]> {
  const sections = new Map<string, Entry[]>();
  for (const entry of entries) {
    const { section } = entry.requirement;
    sections.set(section, [...(sections.get(section) ?? []), entry]);
  }
  return sections;
}

function summary(chapters: readonly Chapter[], entries: Map<string, Entry>): string {
  const all = new Tally();
  const rows: string[] = [];
  for (const { document, entries: own } of chapters) {
    const tally = new Tally();
    for (const entry of own) {
      tally.add(entry, entries);
      all.add(entry, entries);
    }
    rows.push(...tally.rows(document.title.split(':')[0]!));
  }
  const table = [...all.rows('All'), ...rows].join('');
  return `## Summary

${all.sentence('MUST')} ${all.sentence('SHOULD')}

| Document | Level | Number | With test | Exception | Open |
| - | - | -: | -: | -: | -: |
${table}`;
}

const STRENGTHS = ['MUST', 'SHOULD', 'MAY'];
const OUTCOMES: readonly Outcome[] = ['tested', 'exception', 'open'];

/** Counts requirements by level and outcome. */
class Tally {
  readonly #counts = new Map<string, number>();

  add(entry: Entry, entries: Map<string, Entry>): void {
    const key = `${strength(entry.requirement.level)} ${outcomeOf(entry, entries)}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  rows(name: string): string[] {
    return STRENGTHS.filter((level) => this.#total(level) > 0).map((level) => {
      const counts = [
        this.#total(level),
        ...OUTCOMES.map((outcome) => this.#count(level, outcome)),
      ];
      return `| ${name} | ${level} | ${counts.join(' | ')} |\n`;
    });
  }

  sentence(level: string): string {
    const [tested, exception] = [this.#count(level, 'tested'), this.#count(level, 'exception')];
    return `Of ${this.#total(level)} ${level}s, ${tested} are shown by tests and ${exception} have an exception.`;
  }

  #total(level: string): number {
    return OUTCOMES.reduce((sum, outcome) => sum + this.#count(level, outcome), 0);
  }

  #count(level: string, outcome: Outcome): number {
    return this.#counts.get(`${level} ${outcome}`) ?? 0;
  }
}

/** MUST NOT counts as MUST, SHOULD NOT as SHOULD. */
function strength(level: Level): string {
  return level.split(' ')[0]!;
}

function outcomeOf(entry: Entry, entries: Map<string, Entry>): Outcome {
  const { as, exception } = entry.requirement;
  const same = entries.get(as);
  if (exception !== '' || (same !== undefined && same.requirement.exception !== '')) {
    return 'exception';
  }
  return entry.tests.length > 0 || (same !== undefined && same.tests.length > 0)
    ? 'tested'
    : 'open';
}

function row(entry: Entry, entries: Map<string, Entry>): string {
  const { requirement, places, tests } = entry;
  const { id, level, statement, as, exception } = requirement;
  const same = entries.get(as);
  const shown = tests.map(({ file, title }) => `${code(file)}: ${plain(title)}`);
  if (exception !== '') shown.unshift(`*Exception:* ${plain(exception)}`);
  if (same !== undefined) shown.push(`as ${as}${same.requirement.exception ? ' (exception)' : ''}`);
  const where = places.slice(0, MOST_PLACES).map((place) => code(place.replace(/^src\//, '')));
  if (places.length > MOST_PLACES) where.push(`and ${places.length - MOST_PLACES} more`);
  const cells = [id, level, plain(statement), where.join('<br>'), shown.join('<br>')];
  return `| ${cells.map((cell) => cell || '–').join(' | ')} |\n`;
}

function code(text: string): string {
  return `\`${text.replace(/^test\//, '')}\``;
}

/** Text as it is: what Markdown or a table would take for its own is marked. */
function plain(text: string): string {
  return text.replace(/[\\|*_<>[\]`]/g, '\\$&').replace(/\s+/g, ' ');
}
