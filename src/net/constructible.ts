/**
 * Node's `Socket` and `Server` are functions: they may be called without `new`, and code from before
 * classes inherits by `net.Socket.call(this)`. Ours are classes inside and such functions outside.
 */

type Constructor = new (...args: never[]) => object;
type Callable = (this: object, ...args: unknown[]) => void;

/** The object that `net.Socket.call(object)` makes a socket of, between that call and {@link stem}. */
let adopted: object | null = null;

/**
 * `Base`, a constructor function of Node's, as the root of a class of ours: it initialises the object
 * that is being adopted, if there is one, and the class's fields then go onto that object.
 */
export function stem<Base extends abstract new (...args: never[]) => object>(base: Base): Base {
  const Stem = function (this: object, ...args: unknown[]): object {
    const target = adopted ?? this;
    adopted = null;
    (base as unknown as Callable).apply(target, args);
    return target;
  };
  Stem.prototype = base.prototype;
  return Object.setPrototypeOf(Stem, base) as Base;
}

/** Accessors that Node has made enumerable. */
const ENUMERABLE =
  /^(?:bytes(?:Read|Written)|(?:local|remote)(?:Address|Family|Port)|_bytesDispatched|listening)$/;

/** Gives `prototype` the members that it inherits from below `end`, as enumerable as in Node. */
function flatten(prototype: object, end: object): void {
  for (let level = prototype; level !== end; level = Object.getPrototypeOf(level) as object) {
    for (const key of Reflect.ownKeys(level)) {
      if (level !== prototype && Object.hasOwn(prototype, key)) continue;
      const member = Object.getOwnPropertyDescriptor(level, key)!;
      const isMethod = typeof member.value === 'function' && key !== 'constructor';
      member.enumerable = isMethod || (typeof key === 'string' && ENUMERABLE.test(key));
      Object.defineProperty(prototype, key, member);
    }
  }
  Object.setPrototypeOf(prototype, end);
}

/**
 * The function named `name` that constructs `inner` with `new`, without it, and in place; its
 * prototype has all the members of ours and inherits from that of `base`, as in Node.
 */
export function constructible<Class extends Constructor>(
  inner: Class,
  name: string,
  base: abstract new (...args: never[]) => object,
): Class {
  const Outer = function (this: unknown, ...args: never[]): object | undefined {
    if (new.target) {
      const target = (new.target as unknown) === Outer ? inner : new.target;
      return Reflect.construct(inner, args, target);
    }
    if (!(this instanceof Outer)) return Reflect.construct(inner, args);
    adopted = this;
    try {
      Reflect.construct(inner, args);
    } finally {
      adopted = null;
    }
    return undefined;
  };
  const { prototype } = inner as { prototype: object };
  flatten(prototype, base.prototype as object);
  Object.defineProperty(Outer, 'name', { value: name });
  Object.defineProperty(Outer, 'length', { value: name === 'Server' ? 2 : 1 });
  Outer.prototype = prototype;
  Object.defineProperty(prototype, 'constructor', { value: Outer, writable: true });
  return Object.setPrototypeOf(Outer, base) as Class;
}
