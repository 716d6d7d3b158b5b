import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import type * as Pages from '../test/conformance/states/pages.js';

const HELP = `Usage: scripts/states

Plays the packet scripts of test/conformance/scripts/states to our host and writes what came out:
docs/states.md with the tables, docs/states.svg and docs/states.dot with the state diagram.

  -h, --help   print this and exit

Exit status: 0 written, 1 a script did not come true, 2 wrong usage.`;

const ROOT = path.join(__dirname, '..');
const PAGES = path.join(ROOT, 'dist-packet-scripts/test/conformance/states/pages.js');

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const { pagesOf, seeAll } = require(PAGES) as typeof Pages;
  const seen = await seeAll(path.join(ROOT, 'test/conformance/scripts'), ROOT);
  for (const [name, text] of Object.entries(pagesOf(seen))) {
    fs.writeFileSync(path.join(ROOT, 'docs', name), text);
    console.log(`docs/${name} written`);
  }
}

main().catch((error) => {
  console.error(`scripts/states: ${error?.message ?? error}`);
  process.exitCode = String(error?.code).startsWith('ERR_PARSE_ARGS') ? 2 : 1;
});
