import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { preamblesOf } from '../../conformance/packet-scripts/folder.js';
import { PARAMETER_NAMES } from '../../conformance/packet-scripts/parameters.js';
import { parseScripts } from '../../conformance/packet-scripts/parse.js';
import { CALLS, OPTIONS } from '../../conformance/packet-scripts/parse-call.js';
import { formatFailure } from '../../conformance/packet-scripts/play.js';
import { runVirtual } from '../../conformance/packet-scripts/run-virtual.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/packet-scripts.md`, 'utf8');
const find = preamblesOf(`${ROOT}test/conformance/scripts`, ROOT);
const examples = [...PAGE.matchAll(/^```pkt\n(.*?)^```/gms)].map((match) => match[1]!);

describe('docs/packet-scripts.md', () => {
  it.each(examples.map((text) => [text.split('\n')[0]!, text]))('%s', async (_, text) => {
    for (const script of parseScripts('close.pkt', text, find)) {
      const { failure } = await runVirtual(script);
      expect(failure && formatFailure(failure)).toBeNull();
    }
  });

  it('shows what a failure looks like', async () => {
    const text = examples[0]!.replace(/102\n$/, '101\n');
    const { failure } = await runVirtual(parseScripts('close.pkt', text, find)[0]!);
    expect(PAGE).toContain(`\`\`\`\n${formatFailure(failure!)}\n\`\`\``);
  });

  it.each([...PARAMETER_NAMES, ...Object.keys(CALLS), ...OPTIONS])('tells of %s', (name) => {
    expect(PAGE).toMatch(new RegExp(`\`${name}[\`(]|, ${name}`));
  });
});
