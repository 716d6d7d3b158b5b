import type { CountersSnapshot } from '../../base/counters.js';
import type { CaptureLink } from '../../link/capture.js';
import type { SocketInfo } from '../../stack/connection.js';
import { socketList } from '../../stack/socket-list.js';
import { captureSource } from './capture-source.js';
import type { Answers, Identity, Streams } from './protocol.js';
import type { StreamSource } from './stream.js';
import { type Traceable, traceSource } from './trace-source.js';

/** Sockets in one answer: what is written down in a few ms, for meanwhile no packet moves. */
export const MAX_SOCKETS = 4096;

/** What a stack tells of itself; `Host` has it. */
export interface StackView extends Traceable {
  connections(): Iterable<SocketInfo>;
  readonly counters: { snapshot(): CountersSnapshot };
  /** Connections that exist, in TIME_WAIT or not. */
  readonly connectionCount: number;
  metrics(): string;
}

/** The answers of a stack to everything that can be asked. */
export function questionsTo(
  stack: StackView,
  identity: Identity,
): { [K in keyof Answers]: () => Answers[K] } {
  return {
    identity: () => identity,
    counters: () => stack.counters.snapshot(),
    sockets: () => socketList(stack, MAX_SOCKETS),
  };
}

/** The streams of a stack and of the link that it has. */
export function streamsOf(
  stack: StackView,
  link: CaptureLink,
): { [K in keyof Streams]: (options: unknown) => StreamSource } {
  return {
    capture: (options) => captureSource(link, options),
    trace: (options) => traceSource(stack, link.name, options),
  };
}
