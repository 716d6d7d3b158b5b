import type { StateName } from '../../../src/tcp/state.js';
import type { Seen } from './seen.js';

/** An arrow of RFC 9293: of figure 5, or of the text. */
export interface RfcEdge {
  readonly from: StateName;
  readonly to: StateName;
  /** The event that stands at it in figure 5; null: the figure does not have it. */
  readonly by: string | null;
  readonly clause: string;
  /** Why our host does not have it. */
  readonly absent?: string;
}

function edge(from: StateName, to: StateName, by: string | null, clause: string): RfcEdge {
  return { from, to, by, clause };
}

export const RFC_EDGES: readonly RfcEdge[] = [
  edge('CLOSED', 'LISTEN', 'OPEN, passive', '§3.10.1'),
  edge('CLOSED', 'SYN_SENT', 'OPEN, active', '§3.10.1'),
  edge('LISTEN', 'CLOSED', 'CLOSE', '§3.10.4'),
  edge('LISTEN', 'SYN_RECEIVED', 'SYN', '§3.10.7.2'),
  {
    ...edge('LISTEN', 'SYN_SENT', 'SEND', '§3.10.2'),
    absent: 'SEND on a socket that listens is a call that no socket API has',
  },
  edge('SYN_SENT', 'CLOSED', 'CLOSE', '§3.10.4'),
  edge('SYN_SENT', 'SYN_RECEIVED', 'SYN', '§3.10.7.3'),
  edge('SYN_SENT', 'ESTABLISHED', 'SYN-ACK', '§3.10.7.3'),
  edge('SYN_RECEIVED', 'LISTEN', 'RST at RCV.NXT', '§3.10.7.4, figure 5 note 1'),
  edge('SYN_RECEIVED', 'ESTABLISHED', 'acceptable ACK', '§3.10.7.4'),
  edge('SYN_RECEIVED', 'FIN_WAIT_1', 'CLOSE', '§3.10.4'),
  edge('ESTABLISHED', 'FIN_WAIT_1', 'CLOSE', '§3.10.4'),
  edge('ESTABLISHED', 'CLOSE_WAIT', 'FIN', '§3.10.7.4'),
  edge('FIN_WAIT_1', 'FIN_WAIT_2', 'acceptable ACK', '§3.10.7.4'),
  edge('FIN_WAIT_1', 'CLOSING', 'FIN', '§3.10.7.4'),
  {
    ...edge('FIN_WAIT_1', 'TIME_WAIT', null, '§3.10.7.4, figure 5 note 2'),
    absent: 'the ACK of our FIN is seen to before the FIN that comes with it, by way of FIN_WAIT_2',
  },
  edge('FIN_WAIT_2', 'TIME_WAIT', 'FIN', '§3.10.7.4'),
  edge('CLOSE_WAIT', 'LAST_ACK', 'CLOSE', '§3.10.4'),
  edge('CLOSING', 'TIME_WAIT', 'acceptable ACK', '§3.10.7.4'),
  edge('LAST_ACK', 'CLOSED', 'acceptable ACK', '§3.10.7.4'),
  edge('TIME_WAIT', 'CLOSED', 'TIME-WAIT timeout', '§3.10.8'),
  edge('SYN_RECEIVED', 'CLOSED', null, '§3.10.5, §3.10.7.4, figure 5 note 3'),
  edge('ESTABLISHED', 'CLOSED', null, '§3.10.5, §3.10.7.4, §3.8.3, figure 5 note 3'),
  edge('FIN_WAIT_1', 'CLOSED', null, '§3.10.5, §3.10.7.4, §3.8.3, figure 5 note 3'),
  edge('FIN_WAIT_2', 'CLOSED', null, '§3.10.5, §3.10.7.4, figure 5 note 3'),
  edge('CLOSE_WAIT', 'CLOSED', null, '§3.10.5, §3.10.7.4, §3.8.3, figure 5 note 3'),
  edge('CLOSING', 'CLOSED', null, '§3.10.5, §3.10.7.4, §3.8.3, figure 5 note 3'),
];

/** An arrow that the scripts have shown, and by what. */
export interface SeenEdge {
  readonly from: StateName;
  readonly to: StateName;
  readonly by: { readonly event: string; readonly sent: readonly string[] }[];
}

/** All arrows that were seen, in the order of the states. */
export function edgesOf(seen: readonly Seen[]): SeenEdge[] {
  const edges = new Map<string, SeenEdge>();
  for (const each of seen) {
    const event = [each.event, ...(each.variant === '' ? [] : [each.variant])].join(', ');
    for (const [from, to] of stepsOf(each)) {
      const name = `${from} ${to}`;
      if (!edges.has(name)) edges.set(name, { from, to, by: [] });
      const { by } = edges.get(name)!;
      if (!by.some((other) => other.event === event)) by.push({ event, sent: each.sent });
    }
  }
  return [...edges.values()];
}

/** A listener is no connection, so that nobody reports its changes: those that were asserted count. */
function stepsOf({ state, next, transitions }: Seen): (readonly [StateName, StateName])[] {
  if (transitions.length > 0) {
    return transitions.map(({ from, to }) => [from as StateName, to as StateName] as const);
  }
  return next === state ? [] : [[state, next]];
}
