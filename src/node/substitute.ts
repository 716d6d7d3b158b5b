import Module, { syncBuiltinESMExports } from 'node:module';
import type kernelNet from 'node:net';
import * as hooks from './module-hooks.js';

/** What newer versions of Node.js have beyond the types that we compile with. */
interface Loader {
  _load(request: string, ...rest: unknown[]): unknown;
  /** Since 22.15; `register` has been deprecated for it. */
  registerHooks?(hooks: unknown): void;
  register(specifier: URL, options: { data: unknown }): void;
}
interface Builtins {
  /** Since 20.16. */
  getBuiltinModule?(name: string): unknown;
}

const isNet = (name: unknown): boolean => name === 'net' || name === 'node:net';

/** From now on `node:net` is `substitute` to whoever imports or requires it. */
export function substituteNet(substitute: typeof kernelNet): void {
  (globalThis as unknown as Record<symbol, unknown>)[Symbol.for(hooks.KEY)] = substitute;

  const loader = Module as unknown as Loader;
  const load = loader._load;
  loader._load = function (request, ...rest) {
    return isNet(request) ? substitute : load.call(this, request, ...rest);
  };

  const builtins = process as unknown as Builtins;
  const get = builtins.getBuiltinModule;
  if (get !== undefined) {
    builtins.getBuiltinModule = (name) => (isNet(name) ? substitute : get.call(process, name));
  }

  const data = { names: Object.keys(substitute).filter((name) => name !== 'default') };
  if (loader.registerHooks === undefined) {
    loader.register(new URL('./module-hooks.js', import.meta.url), { data });
  } else {
    hooks.initialize(data);
    loader.registerHooks({ resolve: hooks.resolve, load: hooks.load });
  }
  syncBuiltinESMExports();
}
