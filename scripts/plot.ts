import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { runCommand, usage } from './lib/command.js';
import { renderFigure } from './plots/figure.js';
import { FIGURES } from './plots/figures.js';

const HELP = `Usage: scripts/plot [--check] [--into DIR] [NAME...]

Draws the pictures of docs/recovery.md, each from a simulation on virtual time: sequence numbers over
time, windows and round trips. The same sources give the same pictures, byte for byte.

      --check     write nothing; exit status 1 when a picture in DIR is not as it would be drawn
      --into DIR  default docs/plots
  -h, --help      print this and exit

NAME is one of ${Object.keys(FIGURES).join(', ')}; default: all.`;

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      check: { type: 'boolean', default: false },
      into: { type: 'string', default: path.join(__dirname, '../docs/plots') },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const names = positionals.length > 0 ? positionals : Object.keys(FIGURES);
  const unknown = names.find((name) => !Object.hasOwn(FIGURES, name));
  if (unknown !== undefined) {
    throw usage(`there is no picture '${unknown}'; see scripts/plot --help`);
  }
  if (!values.check) fs.mkdirSync(values.into, { recursive: true });
  let stale = 0;
  for (const name of names) {
    const file = path.join(values.into, `${name}.svg`);
    const picture = renderFigure(FIGURES[name]!());
    if (!values.check) {
      fs.writeFileSync(file, picture);
      console.log(`${path.relative('', file)}, ${(picture.length / 1000).toFixed(1)} kB`);
    } else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== picture) {
      console.log(`${path.relative('', file)} is not as it would be drawn: run scripts/plot`);
      stale++;
    }
  }
  return stale === 0 ? 0 : 1;
}

void runCommand('scripts/plot', main);
