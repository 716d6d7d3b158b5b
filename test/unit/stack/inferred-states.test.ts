import { expect, it } from 'vitest';
import { InferredStates } from '../../../src/stack/inferred-states.js';

/** `> FLAGS seq ack` is sent by the end, `< FLAGS seq ack` to it; data is not in play. */
function states(...segments: string[]): string[] {
  const end = new InferredStates();
  return segments.map((text) => {
    const [, way, flags = '', seq, ack] = /^([<>]) ([A-Z ]+) (\d+)(?: (\d+))?$/.exec(text)!;
    const segment = { flags, seq: Number(seq), ack: ack === undefined ? null : +ack, length: 0 };
    const entered = way === '>' ? end.sends(segment) : end.hears(segment);
    return entered.map(({ to }) => to).join(' ');
  });
}

const CLIENT = ['> SYN 0', '< SYN ACK 0 1', '> ACK 1 1'];
const SERVER = ['< SYN 0', '> SYN ACK 0 1', '< ACK 1 1'];

it('opens from either side, and from both', () => {
  expect(states(...CLIENT)).toEqual(['SYN_SENT', '', 'ESTABLISHED']);
  expect(states(...SERVER)).toEqual(['', 'SYN_RECEIVED', 'ESTABLISHED']);
  expect(states('> SYN 0', '< SYN 0', '> SYN ACK 0 1', '< SYN ACK 0 1')).toEqual([
    'SYN_SENT',
    '',
    'SYN_RECEIVED',
    'ESTABLISHED',
  ]);
});

it('closes first, last, and at the same time', () => {
  const first = ['> FIN ACK 1 1', '< ACK 1 2', '< FIN ACK 1 2', '> ACK 2 2'];
  expect(states(...CLIENT, ...first).slice(3)).toEqual([
    'FIN_WAIT_1',
    'FIN_WAIT_2',
    '',
    'TIME_WAIT',
  ]);
  const last = ['< FIN ACK 1 1', '> ACK 1 2', '> FIN ACK 1 2', '< ACK 2 2'];
  expect(states(...CLIENT, ...last).slice(3)).toEqual(['', 'CLOSE_WAIT', 'LAST_ACK', 'CLOSED']);
  const both = ['> FIN ACK 1 1', '< FIN ACK 1 1', '> ACK 2 2', '< ACK 2 2'];
  expect(states(...CLIENT, ...both).slice(3)).toEqual(['FIN_WAIT_1', '', 'CLOSING', 'TIME_WAIT']);
});

it('answers a FIN with its own in one segment', () => {
  const answer = states(...CLIENT, '< FIN ACK 1 1', '> FIN ACK 1 2');
  expect(answer.at(-1)).toBe('CLOSE_WAIT LAST_ACK');
});

it('takes an ACK back that it cannot have received, for it repeats its FIN', () => {
  const last = ['< FIN ACK 1 1', '> FIN ACK 1 2', '< ACK 2 2', '> FIN ACK 1 2', '< ACK 2 2'];
  expect(states(...CLIENT, ...last).slice(5)).toEqual(['CLOSED', 'LAST_ACK', 'CLOSED']);
  const first = ['> FIN ACK 1 1', '< ACK 1 2', '> FIN ACK 1 1', '< FIN ACK 1 2', '> ACK 2 2'];
  expect(states(...CLIENT, ...first).slice(4)).toEqual([
    'FIN_WAIT_2',
    'FIN_WAIT_1',
    'FIN_WAIT_2',
    'TIME_WAIT',
  ]);
});

it('ends with a reset either way, and refuses without having been anywhere', () => {
  expect(states(...CLIENT, '> RST 1').at(-1)).toBe('CLOSED');
  expect(states(...SERVER, '< RST 1', '> RST 1').slice(3)).toEqual(['CLOSED', '']);
  const closed = new InferredStates();
  closed.hears({ flags: 'SYN', seq: 0, ack: null, length: 0 });
  expect(closed.sends({ flags: 'RST ACK', seq: 0, ack: 1, length: 0 })).toEqual([]);
  expect(closed.initial).toBe('CLOSED');
});

it('does not let a repeated SYN count twice', () => {
  expect(states('> SYN 0', '> SYN 0', '< SYN ACK 0 1')).toEqual(['SYN_SENT', '', '']);
  expect(states('< SYN 0', '> SYN ACK 0 1', '> SYN ACK 0 1')).toEqual(['', 'SYN_RECEIVED', '']);
});
