import { systemEpoch } from '../../runtime/system.js';
import { EventTrace } from '../../stack/event-trace.js';
import { TRACE_EVENT_TYPES, type TraceEvent } from '../../stack/trace-event.js';
import type { Trace } from '../../tcp/trace.js';
import type { TraceEnd, TraceItem, TraceRequest } from './protocol.js';
import { type Outlet, type Streaming, StreamSource } from './stream.js';

/** Events that become one item at most. */
const BATCH = 256;

/** What tells traces what it does; `Host` does. */
export interface Traceable {
  addTrace(trace: Trace): void;
  removeTrace(trace: Trace): void;
}

/**
 * The events of a stack, as long as someone reads them; the stack is traced only then.
 * @throws TypeError (ERR_INVALID_ARG_VALUE) for what is no {@link TraceRequest}
 */
export function traceSource(stack: Traceable, device: string, options: unknown): StreamSource {
  const { types, port, host, count = Infinity } = traceRequest(options);
  const wanted = types === undefined ? null : new Set<string>(types);
  const concerns = (event: TraceEvent) =>
    (port === undefined || isAt(event, port)) &&
    (host === undefined || event.connection?.remoteAddress === host);
  return new StreamSource((outlet) => {
    const batch = new EventBatch(outlet, count);
    const trace = new EventTrace({
      wants: (type) => batch.open && (wanted === null || wanted.has(type)),
      onEvent: (event) => {
        if (concerns(event)) batch.event(event);
      },
    });
    outlet.item({ device, epoch: systemEpoch() } satisfies TraceItem, 0);
    stack.addTrace(trace);
    batch.release = () => stack.removeTrace(trace);
    return batch;
  });
}

function isAt({ connection }: TraceEvent, port: number): boolean {
  return connection?.localPort === port || connection?.remotePort === port;
}

function traceRequest(options: unknown): TraceRequest {
  const request = (options ?? {}) as Record<keyof TraceRequest, unknown>;
  const { types, port, host, count } = request;
  if (types !== undefined) {
    if (!Array.isArray(types)) throw invalid('"types" must be an array');
    for (const type of types) {
      if (TRACE_EVENT_TYPES.includes(type)) continue;
      throw invalid(`there is no event '${type}': it is ${TRACE_EVENT_TYPES.join(', ')}`);
    }
  }
  if (port !== undefined && !Number.isInteger(port)) throw invalid('"port" must be an integer');
  if (host !== undefined && typeof host !== 'string') throw invalid('"host" must be a string');
  if (count !== undefined && !(Number.isSafeInteger(count) && (count as number) >= 1)) {
    throw invalid('"count" must be an integer, 1 or more');
  }
  return { types, port, host, count } as TraceRequest;
}

function invalid(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** Collects the events of one turn of the event loop, and makes them one item. */
class EventBatch implements Streaming {
  /** False when there were as many events as were asked for. */
  open = true;
  release: () => void = () => {};
  readonly #outlet: Outlet;
  readonly #count: number;
  readonly #flushed = () => this.#flush();
  #events: TraceEvent[] = [];
  #sent = 0;
  #scheduled: NodeJS.Immediate | null = null;

  constructor(outlet: Outlet, count: number) {
    this.#outlet = outlet;
    this.#count = count;
  }

  event(event: TraceEvent): void {
    if (this.#events.length >= BATCH && !this.#flush()) {
      this.#outlet.lose(1);
      return;
    }
    this.#events.push(event);
    if (this.#sent + this.#events.length === this.#count) this.open = false;
    this.#scheduled ??= setImmediate(this.#flushed);
  }

  drained(): void {
    this.#flush();
  }

  stop(): TraceEnd {
    this.open = false;
    this.release();
    if (!this.#flush()) this.#outlet.lose(this.#events.length);
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    return { events: this.#sent };
  }

  /** Sends what was collected; false when that has to wait. */
  #flush(): boolean {
    this.#scheduled = null;
    const events = this.#events;
    if (events.length > 0) {
      if (!this.#outlet.room) return false;
      this.#events = [];
      this.#outlet.item(events, events.length);
      this.#sent += events.length;
    }
    if (this.#sent === this.#count) this.#outlet.end();
    return true;
  }
}
