/**
 * `node --import tuntcp/register program.js`: the program's TCP is ours. `docs/node-programs.md` lists
 * the environment variables that say which addresses and device it has, and what is not covered.
 */

import cluster from 'node:cluster';
import { givenHost } from '../net/default-host.js';
import type { Stack } from '../net/stack.js';
import { readEnvironment, stackFor } from './environment.js';
import { replaceNet } from './replace.js';
import { substituteNet } from './substitute.js';

if (cluster.isWorker) {
  throw new Error(
    'tuntcp/register cannot be used with node:cluster: workers share listeners of the kernel',
  );
}

const options = readEnvironment(process.env);
let stack: Stack | null = null;

// Made by the first socket, so that a program which only starts others leaves the device to them.
substituteNet(replaceNet(() => givenHost() ?? (stack ??= stackFor(options)).host));

// Peers hear of the end of this process, as they would from a kernel.
process.on('exit', () => stack?.host.leave());
