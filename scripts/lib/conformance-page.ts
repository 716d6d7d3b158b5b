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
  let text = '## Summary\n\n| Document | Level | Number | With test | Exception | Open |\n';
  text += '| - | - | -: | -: | -: | -: |\n';
  const all = new Map<string, number[]>();
  const count = (counts: Map<string, number[]>, level: string, outcome: Outcome): void => {
    const numbers = counts.get(level) ?? [0, 0, 0, 0];
    numbers[0]!++;
    numbers[1 + ['tested', 'exception', 'open'].indexOf(outcome)]!++;
    counts.set(level, numbers);
  };
  const lines = (name: string, counts: Map<string, number[]>): void => {
    for (const [level, numbers] of [...counts].sort()) {
      text += `| ${name} | ${level} | ${numbers.join(' | ')} |\n`;
    }
  };
  for (const { document, entries: own } of chapters) {
    const counts = new Map<string, number[]>();
    for (const entry of own) {
      const level = strength(entry.requirement.level);
      const outcome = outcomeOf(entry, entries);
      count(counts, level, outcome);
      count(all, level, outcome);
    }
    lines(document.title.split(':')[0]!, counts);
  }
  lines('All', all);
  return text;
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
