import { expect, test } from 'vitest';
import { play, SCENARIOS, table } from './support/scenario.js';

const HEAD = `# How TCP fares on bad paths

Each line is a scenario of \`support/scenario.ts\` on virtual time: what it comes to is the same on
every machine, so that a change of this file is a change of behaviour. Renew it, and look at the
difference, with \`npx vitest run test/sim/scenarios.test.ts -u\`.

Goodput is that of all flows together, from the first connect to the last byte. Lost are packets
that the link has dropped on their way to the receiver; spurious are segments that brought it
nothing new. Jain's index is 1 when all flows have the same.

`;

test('scenarios end as they did before', { timeout: 120_000 }, async () => {
  const outcomes = SCENARIOS.map((scenario) => play(scenario));
  await expect(HEAD + table(outcomes)).toMatchFileSnapshot('./scenarios.md');
});
