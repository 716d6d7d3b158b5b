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
  const path = { rate: 20e6, delay: 25, queue: { bytes: 375_000 } };
  const recording = simulate({ faults: { up: path, down: { delay: 25 } }, until: 1600 });
  return {
    title: 'Slow start, and how HyStart++ ends it',
    subtitle: '20 Mbit/s, 50 ms round trip, a queue of 375 kB; CUBIC',
    from: 0,
    to: 1600,
    panels: [sequencePanel(recording, 200), windowPanel(recording, 120), rttPanel(recording, 100)],
    moments: [],
  };
}

function fastRecovery(): Figure {
  const lost = [400, 403, 404, 420].map((kb) => ({
    direction: 'up' as const,
    range: [kb * KB, kb * KB + 1] as const,
  }));
  const faults = { up: USUAL, down: BACK, rules: lost };
  const recording = simulate({ tcp: NARROW, faults, until: 900 });
  return {
    title: 'Fast recovery: RACK finds what was lost, PRR lowers the window',
    subtitle: '10 Mbit/s, 40 ms round trip; 4 segments of a flight are lost',
    from: 330,
    to: 620,
    panels: [sequencePanel(recording, 300), windowPanel(recording, 120)],
    moments: firstOf(recording, [['sentAgain', 'the first is sent again']]),
  };
}

function reordering(): Figure {
  const late = { probability: 0.03, delay: 7 };
  const recording = simulate({
    tcp: NARROW,
    faults: { up: { ...USUAL, reorder: late }, down: BACK },
    until: 1200,
  });
  return {
    title: 'Reordering: what is late is not lost',
    subtitle: '10 Mbit/s, 40 ms round trip; 3 % of the segments come 7 ms late',
    from: 200,
    to: 700,
    panels: [sequencePanel(recording, 300), windowPanel(recording, 110)],
    moments: [],
  };
}

function tailLoss(): Figure {
  const bytes = 60 * KB;
  const rules = [{ direction: 'up' as const, range: [bytes - 2 * 1448, bytes] as const, count: 2 }];
  const recording = simulate({ faults: { up: USUAL, down: BACK, rules }, bytes, until: 500 });
  return {
    title: 'Tail loss: a probe instead of a timeout',
    subtitle: '10 Mbit/s, 40 ms round trip; the last two segments of 60 kB are lost',
    from: 0,
    to: 400,
    panels: [sequencePanel(recording, 260), windowPanel(recording, 100)],
    moments: expired(recording, 'probe', 'probe'),
  };
}

function timeout(): Figure {
  const schedule = [
    { at: 500, both: { dead: true } },
    { at: 2000, both: { dead: false } },
  ];
  const recording = simulate({
    faults: { up: USUAL, down: BACK, schedule },
    tcp: NARROW,
    until: 3500,
  });
  return {
    title: 'Timeout: the path is dead for a second and a half',
    subtitle: '10 Mbit/s, 40 ms round trip; each timeout waits twice as long as the one before',
    from: 300,
    to: 3200,
    panels: [sequencePanel(recording, 260), windowPanel(recording, 120)],
    moments: [
      ...expired(recording, 'probe', 'probe'),
      ...expired(recording, 'retransmit', 'RTO'),
    ].sort((a, b) => a.at - b.at),
  };
}

function spuriousTimeout(): Figure {
  const schedule = [
    { at: 600, up: { delay: 520 } },
    { at: 640, up: { delay: 20 } },
  ];
  const up = { ...USUAL, keepOrder: true };
  const recording = simulate({ faults: { up, down: BACK, schedule }, tcp: NARROW, until: 2000 });
  return {
    title: 'A timeout that was none, and is taken back',
    subtitle: '10 Mbit/s, 40 ms round trip; at 600 ms the path stands still for half a second',
    from: 400,
    to: 1700,
    panels: [sequencePanel(recording, 260), windowPanel(recording, 110), rttPanel(recording, 80)],
    moments: [
      ...expired(recording, 'probe', 'probe'),
      ...expired(recording, 'retransmit', 'RTO'),
    ].sort((a, b) => a.at - b.at),
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
    faults: { up: { ...USUAL, queue: { bytes: 200_000 } }, down: BACK },
    until: 14_000,
  });
  return {
    title: 'BBR: Startup, Drain, probing for bandwidth and for the shortest round trip',
    subtitle: '10 Mbit/s, 40 ms round trip, a queue of 200 kB',
    from: 0,
    to: 14_000,
    panels: [windowPanel(recording, 200), rttPanel(recording, 200)],
    moments: [],
  };
}

function expired(recording: Recording, timer: string, text: string): Moment[] {
  return recording.expired.filter((each) => each.timer === timer).map(({ at }) => ({ at, text }));
}

function firstOf(recording: Recording, list: [keyof Recording, string][]): Moment[] {
  return list.flatMap(([key, text]) => {
    const first = recording[key][0];
    return first === undefined ? [] : [{ at: first.at, text }];
  });
}
