import { State } from '../tcp/state.js';
import type { HostNet, HostSocket } from './platform.js';

/** What is asked of a host; `Host` has it. */
interface Connections {
  /** All but those in TIME_WAIT. */
  tcbs(): Iterable<{ readonly state: State }>;
}

/** Ms until the rest is given up, and between looks at it. */
const PATIENCE = 1500;
const INTERVAL = 10;

/** The same module; `endAll` ends every socket that it has made and that is still open. */
export function withEnd(net: HostNet): { net: HostNet; endAll(): void } {
  const open = new Set<HostSocket>();
  const remember = <S extends HostSocket>(socket: S): S => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    return socket;
  };
  return {
    net: {
      createServer: (options, connection) =>
        net.createServer(options, (socket) => connection(remember(socket as HostSocket))),
      connect: (options) => remember(net.connect(options)),
    },
    endAll() {
      for (const socket of open) socket.destroySoon();
    },
  };
}

/**
 * Settles when every connection has sent its FIN and knows that it arrived, or when patience ends.
 * What the peer does with its own half is no longer waited for.
 */
export async function finsDelivered(host: Connections): Promise<void> {
  for (let waited = 0; waited < PATIENCE && hasUnfinished(host); waited += INTERVAL) {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
}

function hasUnfinished(host: Connections): boolean {
  for (const { state } of host.tcbs()) {
    if (state !== State.FIN_WAIT_2 && state !== State.CLOSED) return true;
  }
  return false;
}
