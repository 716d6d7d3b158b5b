/** Whether connections do ECN: never, when the peer asks, ask every peer. */
export const ECN_MODES = ['off', 'passive', 'on'] as const;

export type EcnMode = (typeof ECN_MODES)[number];
