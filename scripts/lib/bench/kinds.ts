/** A stack that is measured; the programs of `test/bench/` know them by these names. */
export const KINDS = ['ours', 'plain', 'node', 'bare', 'traced', 'captured', 'workers'] as const;
export type Kind = (typeof KINDS)[number];

export const LABEL: Readonly<Record<Kind, string>> = {
  ours: 'tuntcp, offload',
  plain: 'tuntcp, no offload',
  node: 'node:net',
  bare: 'bare loop, no offload',
  traced: 'tuntcp with a recorder',
  captured: 'tuntcp with a capture',
  workers: 'tuntcp on workers',
};

/** Where the server listens; the kernel's stack has the loopback. */
export function addressOf(kind: Kind): string {
  return kind === 'node' ? '127.0.0.1' : '10.7.0.2';
}

/** Mistakes on the command line. */
export class UsageError extends Error {}

export function kindsOf(list: string): Kind[] {
  return list.split(',').map((name) => {
    const kind = KINDS.find((each) => each === name);
    if (kind === undefined)
      throw new UsageError(`--kinds takes ${KINDS.join(', ')}, not '${name}'`);
    return kind;
  });
}
