import type { Answer } from './answers.js';
import { formatStep } from './case-text.js';
import { Conversation, type Taken } from './conversation.js';
import { differences, FREEDOMS, type Pair } from './freedoms.js';
import { LinuxSide } from './linux-side.js';

/** Conversations at a time. */
const AT_ONCE = 200;
/** Kinds of differences that are printed, with one example each. */
const MOST_KINDS = 40;

interface Kind {
  /** The freedom that covers it; null: none does. */
  freedom: string | null;
  what: string;
  count: number;
  example: { seed: number; lines: string[] };
}

/** Gives conversations to this TCP and to Linux; the exit status. */
export async function differential(seed: number, count: number, json: boolean): Promise<number> {
  const linux = await LinuxSide.start();
  const kinds = new Map<string, Kind>();
  let steps = 0;
  let same = 0;
  try {
    for (let first = 0; first < count; first += AT_ONCE) {
      const batch = Array.from(
        { length: Math.min(AT_ONCE, count - first) },
        (_, i) => new Conversation(seed + first + i),
      );
      const ours = batch.map((one) => one.playHere());
      const theirs = await linux.play(batch, ours);
      for (const [i, one] of batch.entries()) {
        steps += ours[i]!.length;
        if (compare(one, ours[i]!, theirs[i]!, kinds)) same++;
      }
    }
  } finally {
    linux.stop();
  }
  const all = [...kinds.values()].sort((a, b) => b.count - a.count);
  const unexplained = all.filter((kind) => kind.freedom === null);
  if (json) console.log(JSON.stringify({ seed, count, steps, same, kinds: all }));
  else print(all, count, steps, same, linux.denied);
  return unexplained.length === 0 ? 0 : 1;
}

/** Notes where two plays of a conversation part for the first time; true: nowhere. */
function compare(
  one: Conversation,
  ours: readonly Taken[],
  theirs: readonly Answer[],
  kinds: Map<string, Kind>,
): boolean {
  let isSame = true;
  for (const [i, taken] of ours.entries()) {
    const pair: Pair = { ...taken, linux: theirs[i]!, before: ours.slice(0, i) };
    const parts = differences(pair);
    if (parts.length === 0) continue;
    isSame = false;
    const freedom = FREEDOMS.find((each) => each.applies(pair, parts)) ?? null;
    const what = freedom?.name ?? `${taken.state}, ${eventOf(taken)}: ${parts.join(', ')}`;
    const kind = kinds.get(what);
    if (kind !== undefined) kind.count++;
    else {
      const lines = ours.slice(0, i + 1).map((each, at) => {
        const theirs_ = theirs[at]!;
        return `${formatStep(each.step)}  |  ${each.state}: ${each.ours}  |  Linux: ${theirs_}`;
      });
      kinds.set(what, {
        freedom: freedom?.name ?? null,
        what,
        count: 1,
        example: { seed: one.seed, lines },
      });
    }
    // Whoever takes the freedom to differ goes on from another place.
    if (freedom?.goesOn !== true) break;
  }
  return isSame;
}

function eventOf({ step }: Taken): string {
  if (step.op === 'tcp') {
    const words = formatStep(step).split(' ');
    const marks = [
      step.seqBase === 'n' && step.seq === 0 ? '' : ' seq',
      step.ackBase === 'm' && step.ack === 0 ? '' : ' ack',
      step.len > 0 ? ' text' : '',
      step.changes.length > 0 ? ' changed' : '',
    ];
    return `${words[2]}${marks.join('')}`;
  }
  return step.op === 'call' ? step.verb : step.op;
}

function print(
  kinds: readonly Kind[],
  count: number,
  steps: number,
  same: number,
  denied: readonly string[],
): void {
  if (denied.length > 0) console.log(`not allowed to set ${denied.join(', ')}`);
  const unexplained = kinds.filter((kind) => kind.freedom === null);
  for (const { what, count: times, example } of unexplained.slice(0, MOST_KINDS)) {
    console.log(`\n${times} times: ${what}\n  seed ${example.seed}`);
    for (const line of example.lines) console.log(`    ${line}`);
  }
  console.log(`\n${count} conversations of ${steps} steps, ${same} without any difference`);
  for (const freedom of FREEDOMS) {
    const times = kinds.find((kind) => kind.freedom === freedom.name)?.count ?? 0;
    if (times > 0) console.log(`${String(times).padStart(7)}  ${freedom.name}`);
  }
  const rest = unexplained.reduce((sum, kind) => sum + kind.count, 0);
  console.log(`${String(rest).padStart(7)}  differences of ${unexplained.length} kinds not listed`);
}
