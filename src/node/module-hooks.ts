/**
 * Hooks of `node:module` that give `import ... from 'node:net'` another module. They may run in a
 * thread of their own, so they pass on source text, which looks up the module where it is loaded.
 */

/** Where the module that stands in for `node:net` is kept, on `globalThis`. */
export const KEY = 'tuntcp.net';

const URL = 'tuntcp:net';

interface Resolved {
  url: string;
  format?: string;
  shortCircuit?: boolean;
}
interface Loaded {
  format: string;
  source: unknown;
  shortCircuit?: boolean;
}
interface Context {
  conditions?: readonly string[];
}
type Next<T> = (name: string, context: Context) => T;

let names: readonly string[] = [];

/** @param data the names that the module exports */
export function initialize(data: { names: readonly string[] }): void {
  names = data.names;
}

export function resolve(name: string, context: Context, next: Next<Resolved>): Resolved {
  const wanted = name === 'net' || name === 'node:net';
  // What `require` loads is seen to elsewhere: in Node.js 20 there are no hooks for it.
  if (!wanted || context.conditions?.includes('require')) return next(name, context);
  return { url: URL, format: 'module', shortCircuit: true };
}

export function load(url: string, context: Context, next: Next<Loaded>): Loaded {
  if (url !== URL) return next(url, context);
  const source = `const net = globalThis[Symbol.for('${KEY}')];
export default net;
export const { ${names.join(', ')} } = net;`;
  return { format: 'module', source, shortCircuit: true };
}
