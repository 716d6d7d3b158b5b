import type { Conversation } from '../../src/stack/conversation.js';
import type { Host } from '../../src/stack/host.js';
import { renderLadder } from '../../src/stack/ladder.js';
import { Recorder } from '../../src/stack/recorder.js';
import { Drop } from '../../src/wire/drop-reason.js';
import { Ipv4Header, PROTOCOL_TCP, parseIpv4 } from '../../src/wire/ipv4.js';
import { readCapture } from '../../src/wire/pcap-reader.js';
import { OUTBOUND } from '../../src/wire/pcapng.js';
import { Segment } from '../../src/wire/segment.js';
import { parseTcp } from '../../src/wire/tcp.js';

const WIDTH = 100;
const RECORDER_OPTIONS = { segments: 64, connections: 16 } as const;
/** So wide that the ladder has no column for states, which a capture does not tell. */
const STATELESS_WIDTH = 80;
/** Ladders of one failure. */
const MOST = 2;

/** Remembers what {@link laddersOf} draws of a host, from now on. */
export function recorderOf(host: Host): Recorder {
  const recorder = new Recorder(RECORDER_OPTIONS);
  host.addTrace(recorder);
  return recorder;
}

/** The latest conversations that hosts had, by the names of the hosts. */
export function laddersOf(hosts: Readonly<Record<string, Recorder>>): string[] {
  const all = Object.entries(hosts);
  return all.flatMap(([name, recorder]) =>
    latest(recorder, MOST / all.length).map((one) => `as ${name} sees it:\n${draw(one, WIDTH)}`),
  );
}

/** The latest conversations in a capture, which does not tell states. */
export function laddersOfCapture(file: Uint8Array): string[] {
  const recorder = new Recorder(RECORDER_OPTIONS);
  let start: bigint | null = null;
  for (const { time, bytes, originalLength, direction } of readCapture(file)) {
    const segment = segmentIn(bytes, originalLength);
    if (segment === null) continue;
    start ??= time;
    const ms = Number(time - start) / 1e6;
    if (direction === OUTBOUND) recorder.sent(segment, null, ms);
    else recorder.received(segment, null, ms);
  }
  return latest(recorder, MOST).map((one) => draw(one, STATELESS_WIDTH));
}

function draw(conversation: Conversation, width: number): string {
  return renderLadder(conversation, { width });
}

function latest(recorder: Recorder, count: number): Conversation[] {
  return recorder
    .conversations()
    .sort((a, b) => a.touched - b.touched)
    .slice(-count);
}

function segmentIn(bytes: Uint8Array, originalLength: number): Segment | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = new Ipv4Header();
  if (bytes.length < originalLength) return null;
  if (parseIpv4(bytes, view, 0, bytes.length, header) !== Drop.NONE) return null;
  if (header.protocol !== PROTOCOL_TCP || header.fragmentOffset > 0) return null;
  const segment = new Segment();
  const { headerLength, totalLength } = header;
  const drop = parseTcp(bytes, view, headerLength, totalLength - headerLength, segment);
  if (drop !== Drop.NONE) return null;
  segment.srcAddr = header.srcAddr;
  segment.dstAddr = header.dstAddr;
  return segment;
}
