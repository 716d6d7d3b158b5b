import type { Packet } from '../../support/packet.js';
import { Flow, fits, formatPattern } from './flow.js';
import { peerIsnOf, toleranceOf } from './parameters.js';
import { ASSERTIONS } from './parse-call.js';
import {
  type CallLine,
  formatPlace,
  type Place,
  type Script,
  type SegmentLine,
  type Statement,
  type System,
  statementsFor,
} from './script.js';
import type { Result, Subject } from './subject.js';

/** A line that did not come true. Times in ms since the script began. */
export interface Failure {
  readonly place: Place;
  readonly system: System;
  readonly line: string;
  readonly at: number;
  readonly expected: string;
  readonly got: string;
  readonly why: readonly string[];
  readonly ladders: readonly string[];
}

/** Between two tries of a call that may yet return what the script wants. */
const AGAIN_MS = 2;

/**
 * Plays a script to a host, up to the first line that does not come true.
 * @param variant the lines that are played: usually those for the system that it is
 */
export async function play(
  script: Script,
  system: System,
  subject: Subject,
  variant: System = system,
): Promise<Failure | null> {
  const player = new Player(script, system, subject);
  const before = new Set(script.statements.slice(0, script.event));
  try {
    let isBegun = false;
    for (const statement of statementsFor(script, variant)) {
      if (!isBegun && !before.has(statement)) {
        isBegun = true;
        subject.begin?.();
      }
      await player.step(statement);
    }
    await player.finish();
    return null;
  } catch (error) {
    if (error instanceof Mismatch) return player.failure(error);
    throw error;
  }
}

class Mismatch extends Error {
  constructor(
    readonly expected: string,
    readonly got: string,
    readonly why: readonly string[] = [],
  ) {
    super(got);
  }
}

class Player {
  readonly #flows = new Map<number, Flow>();
  /** When the statement before was due, and when it happened. */
  #due = 0;
  #happened = 0;
  /** When it would have happened if nobody had been late so far. */
  #nominal = 0;
  #statement: Statement | null = null;

  constructor(
    readonly script: Script,
    readonly system: System,
    readonly subject: Subject,
  ) {}

  async step(statement: Statement): Promise<void> {
    this.#statement = statement;
    const { act } = statement;
    switch (act.kind) {
      case 'inject':
        await this.#reach(statement);
        return this.subject.inject(this.#flow(act.segment.flow).write(act.segment));
      case 'icmp':
        await this.#reach(statement);
        return this.subject.inject(this.#flow(act.icmp.flow).writeIcmp(act.icmp));
      case 'nothing':
        return this.#reach(statement);
      case 'call':
        await this.#reach(statement);
        await this.#call(act.call);
        this.#happened = Math.max(this.#happened, this.subject.now());
        return;
      case 'expect':
        return this.#expect(statement, act.segment, act.optional);
    }
  }

  async finish(): Promise<void> {
    const { subject } = this;
    await subject.wait(subject.now() + subject.linger);
    this.#refuseOthers('nothing more after the last line');
  }

  failure({ expected, got, why }: Mismatch): Failure {
    const { place, text: line } = this.#statement!;
    const { system, subject } = this;
    const ladders = subject.ladders();
    return { place, system, line, at: subject.now(), expected, got, why, ladders };
  }

  #flow(n: number): Flow {
    let flow = this.#flows.get(n);
    if (flow === undefined) {
      flow = new Flow(this.subject.ends(n), peerIsnOf(this.script));
      this.#flows.set(n, flow);
    }
    return flow;
  }

  /** Waits until a statement of ours is due; the host has to be silent meanwhile. */
  async #reach({ when }: Statement): Promise<void> {
    const { subject } = this;
    const start = when.kind === 'at' ? when.from : this.#happened + when.from;
    this.#due = when.kind === 'at' ? when.from : this.#due + when.from;
    this.#nominal = this.#soonest(when);
    this.#refuseOthers('nothing yet');
    await subject.wait(start);
    this.#refuseOthers('nothing yet');
    this.#happened = Math.max(start, subject.now());
  }

  #refuseOthers(expected: string): void {
    const packet = this.subject.inbox[0];
    if (packet === undefined) return;
    throw new Mismatch(expected, this.#show(packet), ['no line expects this packet']);
  }

  async #expect({ when, text }: Statement, line: SegmentLine, optional: boolean): Promise<void> {
    const { subject } = this;
    const [earliest, latest] = this.#window(when);
    const since = Math.min(this.#happened, subject.now());
    const late = () => toleranceOf(this.script) ?? subject.late(since);
    while (subject.inbox.length === 0) {
      const until = latest + late();
      if (subject.now() >= until) {
        if (optional) return;
        const waited = `${seconds(until)} s`;
        throw new Mismatch(text, `nothing until ${waited}`, ['no packet came in time']);
      }
      await subject.wait(until);
    }
    const packet = subject.inbox[0]!;
    const why = this.#compare(this.#flow(line.flow), line, packet);
    const [first, last] = [earliest - subject.early, latest + late()];
    if (packet.at < first) why.push(`too early: not before ${seconds(first)} s`);
    if (packet.at > last) why.push(`too late: not after ${seconds(last)} s`);
    if (why.length > 0 && optional) return;
    if (why.length > 0) throw new Mismatch(text, this.#show(packet), why);
    subject.inbox.shift();
    this.#due = when.kind === 'any' ? packet.at : Math.max(earliest, Math.min(packet.at, latest));
    this.#happened = packet.at;
    this.#nominal = when.kind === 'any' ? packet.at : this.#soonest(when);
  }

  #compare(flow: Flow, line: SegmentLine, packet: Packet): string[] {
    if (packet.dstPort !== flow.ends.peerPort) return ['it belongs to another connection'];
    flow.note(packet);
    // What made this process late up to here shows in the host's timestamps.
    const behind = Math.max(0, packet.at - this.#nominal);
    return flow.compare(line, packet, this.subject.late(0) + behind);
  }

  /** When a statement would happen if nobody had been late so far. */
  #soonest(when: Statement['when']): number {
    return when.kind === 'at' ? when.from : this.#nominal + when.from;
  }

  #window(when: Statement['when']): readonly [earliest: number, latest: number] {
    switch (when.kind) {
      case 'at':
        return [when.from, when.to + Math.max(0, this.#happened - this.#due)];
      case 'after':
        return [this.#due + when.from, this.#happened + when.to];
      case 'any':
        return [0, this.subject.now() + this.subject.patience];
    }
  }

  async #call(call: CallLine): Promise<void> {
    const { subject } = this;
    const since = subject.now();
    for (;;) {
      const result = await subject.call(call);
      const got = formatResult(call, result);
      if (isWanted(call, result)) return;
      const mayChange = ASSERTIONS.has(call.name) || result.name === 'EAGAIN' || waits(call);
      if (!mayChange || subject.now() > since + subject.late(since)) {
        throw new Mismatch(formatWanted(call), got);
      }
      await subject.sleep(subject.now() + AGAIN_MS);
    }
  }

  #show(packet: Packet): string {
    for (const [n, flow] of this.#flows) {
      if (flow.ends.peerPort !== packet.dstPort) continue;
      flow.note(packet);
      const number = n === 1 ? '' : `#${n} `;
      return `${seconds(packet.at)} > ${number}${flow.format(packet)}`;
    }
    return `${seconds(packet.at)} > ${this.#flow(1).format(packet)}`;
  }
}

function waits(call: CallLine): boolean {
  return call.name === 'error' && call.wanted.name !== null;
}

function isWanted({ name, wanted }: CallLine, result: Result): boolean {
  if (name === 'state' || name === 'error') return wanted.name === result.name;
  // The number of a new descriptor is the script's choice.
  if (name === 'socket' || name === 'accept') {
    return wanted.name === result.name && (result.name !== null || result.value >= 0);
  }
  return wanted.name === result.name && fits(wanted.value, result.value);
}

function formatWanted({ name, wanted }: CallLine): string {
  if (name === 'state' || name === 'error') return wanted.name ?? '0';
  return wanted.name === null ? formatPattern(wanted.value) : `-1 ${wanted.name}`;
}

function formatResult({ name }: CallLine, result: Result): string {
  if (name === 'state' || name === 'error') return result.name ?? '0';
  return result.name === null ? String(result.value) : `-1 ${result.name}`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

const NAMES: Readonly<Record<System, string>> = { ours: 'our host', linux: 'Linux' };

/** A failure for people. */
export function formatFailure(failure: Failure): string {
  const { place, system, line, at, expected, got, why, ladders } = failure;
  return [
    `${formatPlace(place)}: not so with ${NAMES[system]}, at ${seconds(at)} s`,
    ...(line === expected ? [] : [`  line      ${line}`]),
    `  expected  ${expected}`,
    `  got       ${got}`,
    ...why.map((each, i) => `  ${i === 0 ? 'because' : '    and'}   ${each}`),
    ...ladders.map((ladder) => `\n${ladder.trimEnd()}`),
  ].join('\n');
}
