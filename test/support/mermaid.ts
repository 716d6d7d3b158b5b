const TEXT = '[^#;]*(?:#\\d+;[^#;]*)*';
const STATEMENTS = [
  new RegExp(`^  participant \\w+ as ${TEXT}$`),
  new RegExp(`^  (?:left|right)(?:->>|-x|-\\))(?:left|right): ${TEXT}$`),
  new RegExp(`^  Note (?:left of left|right of right|over left,right): ${TEXT}$`),
];

/** Throws for a line that is no statement of a `sequenceDiagram`, of those that we use. */
export function checkMermaid(text: string): void {
  const [first, ...lines] = text.trimEnd().split('\n');
  if (first !== 'sequenceDiagram') throw new Error(`not a sequenceDiagram: ${first}`);
  for (const line of lines) {
    if (!STATEMENTS.some((one) => one.test(line))) throw new Error(`not Mermaid: ${line}`);
    if (/(?:^|[^#\w])end(?:\W|$)/i.test(line)) throw new Error(`'end' ends a block: ${line}`);
    if (/[<>"{}\\&]|%%/.test(line.replace(/^.*?: /, ''))) throw new Error(`not escaped: ${line}`);
  }
  const declared = lines.filter((line) => line.startsWith('  participant '));
  if (declared.length !== 2) throw new Error('two participants are expected');
}
