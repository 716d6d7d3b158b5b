import type { TcpConfig } from '../../src/tcp/config.js';
import type { LinkFaults } from '../../test/sim/support/network.js';
import type { Panel, Point, Series } from './figure.js';
import { Recorder, type Recording, type Stretch, type Value } from './recording.js';
import { Flow, Network } from './simulation.js';

export interface Run {
  tcp?: Partial<TcpConfig>;
  /** `up` is where the text goes. */
  faults: LinkFaults;
  /** Text of the transfer, after which the connection stays open; default: more than there is time for. */
  bytes?: number;
  /** ms of virtual time. */
  until: number;
  seed?: number;
}

/** Lets one host send to another, and records the sender. */
export function simulate({ tcp, faults, bytes = 1e12, until, seed = 1 }: Run): Recording {
  const network = new Network({ seed, ...(tcp && { tcp }) });
  const recorder = new Recorder();
  const [near, far] = network.cable({ ...faults, onLost: (_, packet) => recorder.lose(packet) });
  const sender = network.station(near, '10.0.0.1/24', {}, recorder);
  const receiver = network.station(far, '10.0.0.2/24');
  new Flow(sender, receiver).client.writeUpTo(bytes);
  network.runtime.run(until);
  return recorder.recording;
}

/** Octets of text over time, in kB. */
export function sequencePanel(recording: Recording, height: number): Panel {
  const bars = (name: string, colour: Series['colour'], list: Stretch[]): Series => ({
    name,
    colour,
    kind: 'bars',
    points: list.map(({ at, from, to }) => ({ at, value: from / 1000, top: to / 1000 })),
  });
  const series: Series[] = [
    { name: 'acknowledged', colour: 'quiet', kind: 'step', points: kilobytes(recording.acked) },
    bars('sent', 'blue', recording.sent),
    bars('SACKed', 'green', recording.sacked),
    bars('sent again', 'orange', recording.sentAgain),
    { ...bars('lost', 'red', recording.lost), kind: 'crosses' },
  ];
  return {
    title: 'sequence, kB',
    height,
    series: series.filter(({ points }) => points.length > 0),
  };
}

/** cwnd and ssthresh over time, in kB. */
export function windowPanel(recording: Recording, height: number): Panel {
  const series: Series[] = [
    { name: 'ssthresh', colour: 'orange', kind: 'dashes', points: kilobytes(recording.ssthresh) },
    { name: 'cwnd', colour: 'blue', kind: 'step', points: kilobytes(recording.cwnd) },
  ];
  return {
    title: 'window, kB',
    height,
    series: series.filter(({ points }) => points.some(({ value }) => value !== Infinity)),
  };
}

/** Round trips over time, in ms. */
export function rttPanel(recording: Recording, height: number): Panel {
  const points = ({ at, value }: Value): Point => ({ at, value });
  return {
    title: 'round trip, ms',
    height,
    series: [
      { name: 'measured', colour: 'blue', kind: 'dots', points: recording.rtt.map(points) },
      { name: 'SRTT', colour: 'orange', kind: 'line', points: recording.srtt.map(points) },
    ],
  };
}

export function kilobytes(values: readonly Value[]): Point[] {
  return values.map(({ at, value }) => ({ at, value: value / 1000 }));
}
