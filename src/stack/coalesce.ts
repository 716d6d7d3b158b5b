import { add } from '../base/seq.js';
import { ACK, OPT_TIMESTAMPS, PSH, type Segment } from '../wire/segment.js';

/** What is merged may be as long as what segmentation offload gives. Bytes. */
const MOST_BYTES = 65_535 - 100;

/** Whether others may follow `segment` in one that stands for all: plain text in the midst of a transfer. */
export function startsRun(segment: Segment): boolean {
  return segment.flags === ACK && segment.length > 0 && (segment.options & ~OPT_TIMESTAMPS) === 0;
}

/**
 * Appends `next` to `run` if it is the same but for its number and text, as Linux does (GRO): the text
 * is moved up to what it follows, in the bytes where both have arrived. False: they stay as they are.
 */
export function coalesce(run: Segment, next: Segment): boolean {
  const size = run.segmentSize > 0 ? run.segmentSize : run.length;
  const { length } = next;
  if (next.seq !== add(run.seq, run.length) || !isAlike(run, next)) return false;
  if (length === 0 || length > size || run.length + length > MOST_BYTES) return false;
  // One that is shorter, or pushes, is the last.
  if (run.length % size !== 0 || (run.flags & PSH) !== 0) return false;
  const end = run.offset + run.length;
  next.bytes.copyWithin(end, next.offset, next.offset + length);
  run.length += length;
  run.segmentSize = size;
  run.flags |= next.flags;
  return true;
}

function isAlike(run: Segment, next: Segment): boolean {
  return (
    run.srcPort === next.srcPort &&
    run.dstPort === next.dstPort &&
    run.srcAddr === next.srcAddr &&
    run.dstAddr === next.dstAddr &&
    run.ack === next.ack &&
    run.wnd === next.wnd &&
    (next.flags & ~PSH) === ACK &&
    run.options === next.options &&
    run.tsVal === next.tsVal &&
    run.tsEcr === next.tsEcr &&
    run.tos === next.tos &&
    run.ttl === next.ttl &&
    run.bytes === next.bytes
  );
}
