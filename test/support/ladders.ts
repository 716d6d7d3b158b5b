import { conversationsIn } from '../../src/stack/captured-conversations.js';
import type { Conversation } from '../../src/stack/conversation.js';
import type { Host } from '../../src/stack/host.js';
import { renderLadder } from '../../src/stack/ladder.js';
import { joinLadders } from '../../src/stack/ladder-join.js';
import { Recorder } from '../../src/stack/recorder.js';
import { readCapture } from '../../src/wire/pcap-reader.js';

const WIDTH = 100;
/** With a column for when segments arrived. */
const JOINED_WIDTH = 110;
const RECORDER_OPTIONS = { segments: 64, connections: 16 } as const;
/** Ladders of one failure. */
const MOST = 2;

/** Remembers what {@link laddersOf} draws of a host, from now on. */
export function recorderOf(host: Host): Recorder {
  const recorder = new Recorder(RECORDER_OPTIONS);
  host.addTrace(recorder);
  return recorder;
}

/** The latest conversations of a host, whom `name` says. */
export function laddersOf(name: string, recorder: Recorder): string[] {
  return latest(recorder).map((one) => `as ${name} sees it:\n${draw(one)}`);
}

/** The latest conversations of hosts A and B with each other, and what only one has noted. */
export function laddersBetween(a: Recorder, b: Recorder): string[] {
  const [ofA, ofB] = [latest(a), latest(b)];
  const joined = new Set<Conversation>();
  const ladders = ofA.map((one) => {
    const other = ofB.findLast(
      (two) =>
        !joined.has(two) &&
        two.remotePort === one.localPort &&
        two.localPort === one.remotePort &&
        two.remoteAddr === one.localAddr,
    );
    if (other === undefined) return `as a sees it:\n${draw(one)}`;
    joined.add(other);
    const both = renderLadder(joinLadders(one, other), { width: JOINED_WIDTH });
    return `a on the left, b on the right:\n${both}`;
  });
  const rest = ofB.filter((one) => !joined.has(one));
  return [...ladders, ...rest.map((one) => `as b sees it:\n${draw(one)}`)].slice(-MOST);
}

/** The latest conversations in a capture. */
export function laddersOfCapture(file: Uint8Array): string[] {
  return conversationsIn(readCapture(file)).slice(-MOST).map(draw);
}

function draw(conversation: Conversation): string {
  return renderLadder(conversation, { width: WIDTH });
}

function latest(recorder: Recorder): Conversation[] {
  return recorder
    .conversations()
    .sort((a, b) => a.touched - b.touched)
    .slice(-MOST);
}
