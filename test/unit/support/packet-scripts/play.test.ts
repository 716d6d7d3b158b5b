import { describe, expect, it } from 'vitest';
import { parseScripts } from '../../../conformance/packet-scripts/parse.js';
import { formatFailure } from '../../../conformance/packet-scripts/play.js';
import { runVirtual } from '../../../conformance/packet-scripts/run-virtual.js';

const ESTABLISH = `socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
bind(3, ..., ...) = 0
listen(3, 5) = 0
< S 0:0(0) win 1000 <mss 1000>
> S. 0:0(0) ack 1 <...>
< . 1:1(0) ack 1 win 1000
accept(3, ..., ...) = 4
`;

/** The failure of a script whose first line here is line 8; null when it comes true. */
async function failureOf(lines: string): Promise<string | null> {
  const [script] = parseScripts('a.pkt', `${ESTABLISH}${lines}`, () => null);
  const { failure } = await runVirtual(script!);
  return failure === null ? null : formatFailure(failure);
}

describe('a script that does not come true', () => {
  it.each([
    ['write(4, ..., 10) = 10\n> . 1:12(11) ack 1', 'a.pkt:9:', 'length is 10, not 11'],
    ['write(4, ..., 10) = 10\n> . 2:12(10) ack 1', 'a.pkt:9:', 'seq is 1, not 2'],
    ['write(4, ..., 10) = 10\n> . 1:11(10) ack 2~3', 'a.pkt:9:', 'ack is 1, not 2~3'],
    ['write(4, ..., 10) = 10\n> F. 1:11(10) ack 1', 'a.pkt:9:', 'flags are ., not F.'],
    ['write(4, ..., 10) = 10\n> . 1:11(10) ack 1 win 7', 'a.pkt:9:', 'win is 65535, not 7'],
    [
      'write(4, ..., 10) = 10\n> [ce] . 1:11(10) ack 1',
      'a.pkt:9:',
      'the IP header has noecn, not ce',
    ],
    [
      'write(4, ..., 10) = 10\n> . 1:11(10) ack 1 <nop,nop,TS val 1 ecr 1>',
      'a.pkt:9:',
      'option TS is missing',
    ],
    ['write(4, ..., 10) = 10\n+0.1 > . 1:11(10) ack 1', 'a.pkt:9:', 'too early'],
    ['write(4, ..., 10) = 10\n> nothing', 'a.pkt:9:', 'no line expects this packet'],
    ['write(4, ..., 10) = 10', 'a.pkt:8:', 'nothing more after the last line'],
    ['+0.5 > . 1:1(0) ack 1', 'a.pkt:8:', 'no packet came in time'],
    ['> #2 . 1:1(0) ack 1', 'a.pkt:8:', 'no packet came in time'],
    ['state(4) = CLOSING', 'a.pkt:8:', 'got       ESTABLISHED'],
    ['read(4, ..., 10) = 10', 'a.pkt:8:', 'got       -1 EAGAIN'],
    ['close(5) = 0', 'a.pkt:8:', 'got       -1 EBADF'],
  ])('%j', async (lines, place, why) => {
    const text = await failureOf(lines);
    expect(text).toContain(place);
    expect(text).toContain(why);
  });

  it('shows what was expected, what came and the conversation', async () => {
    const text = await failureOf('write(4, ..., 10) = 10\n+0 > . 1:12(11) ack 1');
    expect(text!.split('\n').slice(0, 4)).toEqual([
      'a.pkt:9: not so with our host, at 0.000 s',
      '  expected  +0 > . 1:12(11) ack 1',
      '  got       0.000 > P. 1:11(10) ack 1 win 65535',
      '  because   length is 10, not 11',
    ]);
    expect(text).toMatch(/SYN_RECEIVED[\s\S]*ESTABLISHED/);
  });
});

describe('a script that comes true', () => {
  it.each([
    [
      'relative times',
      '+0.5 write(4, ..., 10) = 10\n> . 1:11(10) ack 1\n+0.2~0.5 > . 1:11(10) ack 1',
    ],
    ['absolute times', '0.5 write(4, ..., 10) = 10\n0.5 > . 1:11(10) ack 1'],
    ['packets that may come and do', 'write(4, ..., 10) = 10\n>? . 1:11(10) ack 1'],
    ['packets that may come and do not', '+0.1 >? . 9:9(0) ack 1\nstate(4) = ESTABLISHED'],
    ['wildcards', 'write(4, ..., 10) = *\n* > . *:*(*) ack * win *'],
    [
      'the text itself',
      '< P. 1:31(30) ack 1\n> . 1:1(0) ack 31\nread(4, ..., 7) = 7\nread(4, ..., 99) = 23',
    ],
  ])('%s', async (_, lines) => {
    expect(await failureOf(lines)).toBeNull();
  });
});
