import type { ConnectionErrorCode } from '../stack/connection.js';
import type { Waiter } from './waiter.js';

/** What only the end that connects has. */
export class ActiveOpen {
  localAddress: string | undefined;
  localPort: number | undefined;
  congestionControl: string | null = null;
  /** Who waits for the connection, for null or why it failed; null once that is known. */
  waiter: Waiter<ConnectionErrorCode | null> | null = null;
  /** Linux takes `connect` on a connection that it made once more, and calls it a success. */
  mayRepeat = false;
}
