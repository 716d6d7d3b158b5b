import type { Figure, Moment } from './figure.js';
import type { Recording } from './recording.js';
import { kilobytes, rttPanel, sequencePanel, simulate, windowPanel } from './run.js';

/** 10 Mbit/s, 40 ms, and a queue of one product of the two. */
const USUAL = { rate: 10e6, delay: 20, queue: { bytes: 50_000 } };
const BACK = { delay: 20 };
/** A window that this path and its queue hold, so that nothing is lost but what is meant to be. */
const NARROW = { receiveBuffer: 90_000 };
const KB = 1000;

/** The pictures by the names of their files. */
export const FIGURES: Readonly<Record<string, () => Figure>> = {
  'slow-start': slowStart,
  'fast-recovery': fastRecovery,
  reordering,
  'tail-loss': tailLoss,
  timeout,
  'spurious-timeout': spuriousTimeout,
  'cubic-reno': cubicReno,
  bbr,
};

function slowStart(): Figure {
  const path = { ...USUAL, queue: { bytes: 500 * KB } };
  const recording = simulate({ faults: { up: path, down: BACK }, until: 2000 });
  return {
    title: 'Slow start, and how HyStart++ ends it',
    subtitle: '10 Mbit/s, 40 ms round trip, a queue of 500 kB; CUBIC',
    from: 0,
    to: 2000,
    panels: [sequencePanel(recording, 180), windowPanel(recording, 120), rttPanel(recording, 100)],
    moments: first(
      recording.ssthresh.filter(({ value }) => value !== Infinity),
      'slow start is over',
    ),
  };
}

function fastRecovery(): Figure {
  const rules = [60, 63, 66, 81].map((kb) => ({
    direction: 'up' as const,
    range: [kb * KB, kb * KB + 1] as const,
  }));
  const recording = simulate({ faults: { up: USUAL, down: BACK, rules }, until: 420 });
  return {
    title: 'Fast recovery: RACK finds what was lost, PRR lowers the window',
    subtitle: '10 Mbit/s, 40 ms round trip; 4 segments of a flight are lost',
    from: 100,
    to: 400,
    panels: [sequencePanel(recording, 300), windowPanel(recording, 120)],
    moments: first(recording.sentAgain, 'the first is sent again'),
  };
}

function reordering(): Figure {
  const late = { probability: 0.05, delay: 3 };
  const up = { ...USUAL, reorder: late };
  const recording = simulate({ tcp: NARROW, faults: { up, down: BACK }, until: 400 });
  return {
    title: 'Reordering: what is late is not lost',
    subtitle: '10 Mbit/s, 40 ms round trip; 5 % of the segments come 3 ms late',
    from: 200,
    to: 360,
    panels: [sequencePanel(recording, 300), windowPanel(recording, 110)],
    moments: first(recording.sentAgain, 'taken for lost'),
  };
}

function tailLoss(): Figure {
  const bytes = 60 * KB;
  const rules = [{ direction: 'up' as const, range: [bytes - 1500, bytes] as const, count: 2 }];
  const faults = { up: USUAL, down: BACK, rules };
  const recording = simulate({ tcp: { timestamps: false }, faults, bytes, until: 400 });
  return {
    title: 'Tail loss: a probe instead of a timeout',
    subtitle: '10 Mbit/s, 40 ms round trip; the last two segments of 60 kB are lost',
    from: 30,
    to: 350,
    panels: [sequencePanel(recording, 240), windowPanel(recording, 100)],
    moments: timersOf(recording),
  };
}

function timeout(): Figure {
  const schedule = [
    { at: 500, up: { dead: true } },
    { at: 2000, up: { dead: false } },
  ];
  const faults = { up: USUAL, down: BACK, schedule };
  const recording = simulate({ tcp: NARROW, faults, until: 3000 });
  return {
    title: 'Timeout: nothing gets through for a second and a half',
    subtitle: '10 Mbit/s, 40 ms round trip; each timeout takes twice as long as the one before',
    from: 300,
    to: 2900,
    panels: [sequencePanel(recording, 260), windowPanel(recording, 120)],
    moments: timersOf(recording),
  };
}

function spuriousTimeout(): Figure {
  const schedule = [
    { at: 600, up: { delay: 520 } },
    { at: 640, up: { delay: 20 } },
  ];
  const faults = { up: { ...USUAL, keepOrder: true }, down: BACK, schedule };
  const recording = simulate({ tcp: NARROW, faults, until: 1500 });
  return {
    title: 'A timeout that was none, and is taken back',
    subtitle: '10 Mbit/s, 40 ms round trip; after 600 ms the path stands still for half a second',
    from: 500,
    to: 1400,
    panels: [sequencePanel(recording, 260), windowPanel(recording, 110)],
    moments: timersOf(recording),
  };
}

function cubicReno(): Figure {
  const path = { rate: 50e6, delay: 50, queue: { bytes: 600_000 } };
  const buffers = { sendBuffer: 8e6, receiveBuffer: 8e6 };
  const run = (congestionControl: string): Recording =>
    simulate({
      tcp: { ...buffers, congestionControl },
      faults: { up: path, down: { delay: 50 } },
      until: 60_000,
    });
  return {
    title: 'CUBIC and NewReno on a long path',
    subtitle: '50 Mbit/s, 100 ms round trip, a queue of 600 kB; each alone',
    from: 0,
    to: 60_000,
    panels: [
      {
        title: 'cwnd, kB',
        height: 240,
        series: [
          {
            name: 'NewReno',
            colour: 'orange',
            kind: 'line',
            points: kilobytes(run('newreno').cwnd),
          },
          { name: 'CUBIC', colour: 'blue', kind: 'line', points: kilobytes(run('cubic').cwnd) },
        ],
      },
    ],
    moments: [],
  };
}

function bbr(): Figure {
  const recording = simulate({
    tcp: { congestionControl: 'bbr' },
    faults: { up: { ...USUAL, queue: { bytes: 200 * KB } }, down: BACK },
    until: 8_000,
  });
  return {
    title: 'BBR: Startup, Drain, and probing for bandwidth and the shortest round trip',
    subtitle: '10 Mbit/s, 40 ms round trip, a queue of 200 kB',
    from: 0,
    to: 7_600,
    panels: [windowPanel(recording, 160), rttPanel(recording, 160)],
    moments: recording.phases.filter(({ text }) => PHASES.has(text)),
  };
}

/** Those of BBR that are named; between them are those of cruising and refilling. */
const PHASES = new Set(['startup', 'drain', 'up', 'down', 'probertt']);

/** When probes went out and timeouts struck. */
function timersOf({ expired }: Recording): Moment[] {
  return expired.flatMap(({ at, timer }) => {
    const text = TIMERS[timer];
    return text === undefined ? [] : [{ at, text }];
  });
}

const TIMERS: Partial<Record<string, string>> = { probe: 'probe', retransmit: 'RTO' };

function first(list: readonly { at: number }[], text: string): Moment[] {
  return list.slice(0, 1).map(({ at }) => ({ at, text }));
}
