import * as path from 'node:path';

export type { RxBatch, TxBatch } from '../../src/base/batch.js';
export type { FaultsLink, Link, MemoryLink, Stack, TunLink } from '../../src/index.js';

export type TuntcpModule = typeof import('../../src/index.js');

const DIST = path.join(__dirname, '../../dist');

/** The package as it is built. */
export function tuntcp(): TuntcpModule {
  return require(path.join(DIST, 'index.js')) as TuntcpModule;
}

/** Its batches, which the package itself does not give away. */
export function batches(): typeof import('../../src/base/batch.js') {
  return require(path.join(DIST, 'base/batch.js'));
}
