import * as path from 'node:path';

const ROOT = path.join(__dirname, '../../dist-sim');

/** The simulated networks of test/sim, compiled. */
export const { Network } = require(
  path.join(ROOT, 'test/sim/support/network.js'),
) as typeof import('../../test/sim/support/network.js');

export const { Flow } = require(
  path.join(ROOT, 'test/sim/support/flow.js'),
) as typeof import('../../test/sim/support/flow.js');

export const { SilentTrace } = require(
  path.join(ROOT, 'src/tcp/trace.js'),
) as typeof import('../../src/tcp/trace.js');
