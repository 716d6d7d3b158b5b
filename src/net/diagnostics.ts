import { type Channel, channel } from 'node:diagnostics_channel';
import { EventTrace } from '../stack/event-trace.js';
import { TRACE_EVENT_TYPES, type TraceEvent, type TraceEventType } from '../stack/trace-event.js';
import type { Trace } from '../tcp/trace.js';

const SEGMENT_TYPES: ReadonlySet<TraceEventType> = new Set(['received', 'sent', 'dropped']);

const LISTENER_TYPES: ReadonlySet<TraceEventType> = new Set(['overflow', 'cookie']);

/** The `node:diagnostics_channel` that gets the events of a type: `tuntcp:connection:state`. */
export function channelName(type: TraceEventType): string {
  if (SEGMENT_TYPES.has(type)) return `tuntcp:segment:${type}`;
  return `tuntcp:${LISTENER_TYPES.has(type) ? 'listener' : 'connection'}:${type}`;
}

// A channel that nobody holds would be forgotten, subscribers and all.
const channels: Readonly<Record<TraceEventType, Channel<TraceEvent>>> = Object.fromEntries(
  TRACE_EVENT_TYPES.map((type) => [type, channel(channelName(type))]),
) as Record<TraceEventType, Channel<TraceEvent>>;
const all: readonly Channel<TraceEvent>[] = Object.values(channels);

const publisher = new EventTrace({
  onEvent: (event) => channels[event.type].publish(event),
  wants: (type) => channels[type].hasSubscribers,
});

/** Publishes the events of all hosts of the process; null as long as nobody has subscribed. */
export function diagnostics(): Trace | null {
  for (let i = 0; i < all.length; i++) if (all[i]!.hasSubscribers) return publisher;
  return null;
}
