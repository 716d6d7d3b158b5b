import { CaptureRing } from '../../../src/link/capture-ring.js';
import type { FaultsLink } from '../../../src/link/faults.js';
import { renderLadder } from '../../../src/stack/ladder.js';
import { checkHost } from '../../support/invariants.js';
import { PatternEnd } from './flow.js';
import { Network, type Station } from './network.js';
import { judge } from './oracle.js';
import type { Action, PathState, Schedule, Side } from './schedule.js';

/** Without progress for so long a connection hangs: R2 takes half an hour at most. ms. */
const WATCHDOG = 3_600_000;
/** Longer than any timer that is left when nobody is connected: TIME_WAIT and what is on its way. */
const AFTERMATH = 3_600_000;
/** Invariants of hosts are looked at so often. */
const CHECK_EVERY = 40;
const RING_BYTES = 64 * 1024 * 1024;
/** A path where nothing more happens to packets but what they take in time. */
const HEALED: PathState = {
  dead: false,
  loss: 0,
  burstLoss: null,
  reorder: null,
  duplicate: 0,
  corrupt: 0,
};

/** One side, as its user and its host leave it. */
export interface SideState {
  readonly end: PatternEnd;
  readonly station: Station;
  /** How its user has left; null: not at all. */
  left: 'close' | 'abort' | null;
  accepted: boolean;
  /** When each side heard the other last, as this one ended; ms. */
  quietSince: number;
}

/** A schedule on its way. */
export class SchedulePlay {
  readonly network: Network;
  readonly link: FaultsLink;
  readonly sides: Record<Side, SideState>;
  /** Connections that B has accepted. */
  accepted = 0;
  readonly #ring: CaptureRing | null;
  readonly #waiting: Action[] = [];
  /** A number that changes whenever something comes of it all, and when it did last. */
  #progress = 0;
  #progressAt = 0;

  constructor(
    readonly schedule: Schedule,
    recorded: boolean,
  ) {
    this.#ring = recorded ? new CaptureRing(RING_BYTES) : null;
    const { seed, mtu, offload, up, down, rules } = schedule;
    this.network = new Network({
      seed,
      record: recorded,
      ...(this.#ring && { capture: this.#ring }),
      // So that who has nothing to say finds out, too.
      tcp: { keepAliveIdle: 60_000, keepAliveInterval: 10_000 },
    });
    const changes = schedule.changes.map(({ at, direction, faults }) => ({
      at,
      [direction]: faults,
    }));
    if (schedule.healsAt !== null) changes.push({ at: schedule.healsAt, both: HEALED });
    const faults = { up, down, rules, schedule: changes };
    const [linkA, linkB] = this.network.cable(faults, mtu, offload);
    this.link = linkA;
    this.sides = {
      a: this.#side(this.network.station(linkA, '10.0.0.1/24', schedule.tcpA)),
      b: this.#side(this.network.station(linkB, '10.0.0.2/24', schedule.tcpB)),
    };
    this.#begin();
  }

  /** Plays to the end; what is wrong about it, or null. */
  run(): string | null {
    const { runtime } = this.network;
    try {
      for (let steps = 0; !this.#isOver; steps++) {
        if (!runtime.step() || this.now - this.#progressAt > WATCHDOG) break;
        if (steps % CHECK_EVERY === 0) this.#check();
      }
      this.#check();
      const problem = judge(this);
      if (problem !== null) return problem;
      runtime.run(runtime.now() + AFTERMATH);
      return runtime.step() ? 'a timer is left when everything is over' : null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  get now(): number {
    return this.network.runtime.now();
  }

  /** Both hosts have nothing left to do. */
  get #isOver(): boolean {
    const { a, b } = this.sides;
    const isLeft = a.station.host.connectionCount + b.station.host.connectionCount > 0;
    return !isLeft && this.now >= Math.max(this.schedule.endA, this.schedule.endB);
  }

  /** Both sides' latest segments as ladders. */
  ladders(): string {
    return (['a', 'b'] as const)
      .flatMap((side) => this.sides[side].station.recorder?.conversations() ?? [])
      .map((conversation) => renderLadder(conversation, { width: 130 }))
      .join('\n');
  }

  /** The latest packets at both hosts, and those lost, as a pcapng file. */
  capture(): Uint8Array {
    return this.#ring?.file() ?? new Uint8Array(0);
  }

  #side(station: Station): SideState {
    const { runtime } = this.network;
    const end = new PatternEnd(() => runtime.now());
    return { end, station, left: null, accepted: false, quietSince: 0 };
  }

  #begin(): void {
    const { runtime } = this.network;
    const { a, b } = this.sides;
    for (const side of ['a', 'b'] as const) {
      this.sides[side].end.onClosed = () => {
        this.sides[side].quietSince = this.#quietSince();
      };
    }
    b.station.host.listen({ port: 80 }, (connection) => {
      if (this.accepted++ > 0) return new PatternEnd(() => runtime.now());
      b.end.connection = connection;
      connection.setKeepAlive(true, 0);
      for (const action of this.#waiting) runtime.defer(() => this.#act(action));
      return b.end;
    });
    const options = { remoteAddress: b.station.address, remotePort: 80, localPort: 40_000 };
    a.end.connection = a.station.host.connect(options, a.end);
    a.end.connection.setKeepAlive(true, 0);
    const { endA, endB } = this.schedule;
    const last: Action[] = [
      { at: endA, side: 'a', what: 'end', size: 0 },
      { at: endB, side: 'b', what: 'end', size: 0 },
    ];
    for (const action of [...this.schedule.actions, ...last]) {
      runtime.schedule(action.at, () => {
        if (action.side === 'b' && this.accepted === 0) this.#waiting.push(action);
        else this.#act(action);
      });
    }
  }

  #act({ side, what, size }: Action): void {
    const state = this.sides[side];
    const { end } = state;
    if (state.left !== null || end.error !== undefined) return;
    switch (what) {
      case 'write':
        end.writeMore(size);
        return;
      case 'pause':
        // Who has ended reads to the end, or nothing ever would.
        end.reads = end.hasEnded;
        return;
      case 'resume':
        end.resume();
        return;
      case 'end':
        end.end();
        end.resume();
        return;
      case 'close':
      case 'abort':
        state.left = what;
        end.connection[what]();
    }
  }

  /** Since when one of the directions has carried nothing. */
  #quietSince(): number {
    const { a, b } = this.sides;
    return Math.min(a.station.watch.heardAt, b.station.watch.heardAt);
  }

  #check(): void {
    let progress = 0;
    for (const { station, end } of Object.values(this.sides)) {
      checkHost(station.host);
      progress += end.received + station.host.connectionCount + (end.error === undefined ? 0 : 1);
    }
    if (progress === this.#progress) return;
    this.#progress = progress;
    this.#progressAt = this.now;
  }
}

/** What is wrong with how a schedule ends; null: nothing. */
export function problemOf(schedule: Schedule): string | null {
  return new SchedulePlay(schedule, false).run();
}
