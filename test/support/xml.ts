const NAME = '[A-Za-z_:][\\w:.-]*';
const ATTRIBUTE = `\\s+${NAME}="[^"<&]*(?:&(?:#\\d+|\\w+);[^"<&]*)*"`;
const TAG = new RegExp(`^<(/?)(${NAME})((?:${ATTRIBUTE})*)\\s*(/?)>`);
const ENTITY = /&(?!(?:#\d+|#x[\da-fA-F]+|amp|lt|gt|quot|apos);)/;

/** Throws unless `text` is a well-formed element: tags nest, attributes are unique, text is escaped. */
export function checkXml(text: string): void {
  const open: string[] = [];
  let rest = text.trim();
  if (!rest.startsWith('<')) throw new Error('no element');
  while (rest !== '') {
    if (!rest.startsWith('<')) {
      const end = rest.indexOf('<');
      const run = end < 0 ? rest : rest.slice(0, end);
      if (open.length === 0 || ENTITY.test(run)) throw new Error(`stray text: ${run.slice(0, 80)}`);
      rest = rest.slice(run.length);
      continue;
    }
    const tag = TAG.exec(rest);
    if (tag === null) throw new Error(`not a tag: ${rest.slice(0, 120)}`);
    const [all, closing, name, attributes = '', empty] = tag;
    const names = [...attributes.matchAll(/([\w:.-]+)="/g)].map((one) => one[1]);
    if (new Set(names).size !== names.length) throw new Error(`attribute twice: ${all}`);
    if (closing) {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing`);
    } else if (!empty) open.push(name!);
    rest = rest.slice(all.length);
    if (open.length === 0 && rest !== '') throw new Error(`after the end: ${rest.slice(0, 80)}`);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(' ')}`);
}
