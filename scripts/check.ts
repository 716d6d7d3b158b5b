import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { checkHouse } from './lib/house.js';

const HELP = `Usage: scripts/check [--json] [DIR]

Checks that the sources in DIR (default: this project) keep the rules of the house, which
docs/architecture.md explains. Prints FILE:LINE and a sentence for each breach.

      --json   print the findings as a JSON array
  -h, --help   print this and exit

Exit status: 0 in order (there may be warnings), 1 errors found, 2 wrong usage.`;

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const root = path.resolve(positionals[0] ?? path.join(__dirname, '..'));
  const findings = checkHouse(root);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (values.json) {
    console.log(JSON.stringify(findings, null, 2));
  } else {
    for (const { file, line, severity, message } of findings) {
      console.log(`${file}:${line}: ${severity}: ${message}`);
    }
    console.log(`${errors} errors, ${findings.length - errors} warnings`);
  }
  return errors === 0 ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`scripts/check: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}
