import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { joinMatrix, PAGE } from './lib/conformance.js';

const HELP = `Usage: scripts/conformance [DIR]

Writes docs/conformance.md in DIR (default: this project): each requirement of the RFCs in
test/conformance/requirements/, where src/ implements it and which tests show it. Prints what is
missing, as scripts/check does.

  -h, --help   print this and exit

Exit status: 0 nothing is missing, 1 something is, 2 wrong usage.`;

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const root = path.resolve(positionals[0] ?? path.join(__dirname, '..'));
  const { page, findings } = joinMatrix(root);
  fs.mkdirSync(path.dirname(path.join(root, PAGE)), { recursive: true });
  fs.writeFileSync(path.join(root, PAGE), page);
  for (const { file, line, message } of findings) console.log(`${file}:${line}: ${message}`);
  console.log(`${PAGE} written, ${findings.length} missing`);
  return findings.length === 0 ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`scripts/conformance: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}
