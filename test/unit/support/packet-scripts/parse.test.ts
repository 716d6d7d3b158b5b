import { describe, expect, it } from 'vitest';
import { parseScripts } from '../../../conformance/packet-scripts/parse.js';
import { ScriptError, type Statement } from '../../../conformance/packet-scripts/script.js';

const PREAMBLES: Readonly<Record<string, string>> = {
  'establish-passive': 'let win = 1000\n< S 0:0(0) win $win\n> S. 0:0(0) ack 1 <...>',
  circle: '`circle`',
  broken: '< Q 0:0(0)',
};

function parse(text: string) {
  return parseScripts('a.pkt', text, (name) => {
    const found = PREAMBLES[name];
    return found === undefined ? null : { file: `preambles/${name}.pkt`, text: found };
  });
}

function only(text: string): Statement {
  const [script] = parse(text);
  expect(script!.statements).toHaveLength(1);
  return script!.statements[0]!;
}

function messageOf(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ScriptError) return error.message;
    throw error;
  }
  throw new Error(`nothing is wrong with ${text}`);
}

describe('what a line says', () => {
  it.each([
    ['+0.1', { kind: 'after', from: 100, to: 100 }],
    ['+.1', { kind: 'after', from: 100, to: 100 }],
    ['0.2', { kind: 'at', from: 200, to: 200 }],
    ['+0.1~+0.25', { kind: 'after', from: 100, to: 250 }],
    ['1~2', { kind: 'at', from: 1000, to: 2000 }],
    ['*', { kind: 'any', from: 0, to: Infinity }],
  ])('the time %s', (time, when) => {
    expect(only(`${time} > . 1:1(0) ack 1`).when).toEqual(when);
  });

  it('no time is at once', () => {
    expect(only('> . 1:1(0) ack 1').when).toEqual({ kind: 'after', from: 0, to: 0 });
  });

  it('flags in any order, with C for CWR', () => {
    expect(only('< .PC 1:11(10) ack 5 win 9').act).toMatchObject({
      kind: 'inject',
      segment: { flags: 'P.W', ack: { from: 5, to: 5 }, win: { from: 9, to: 9 }, flow: 1 },
    });
  });

  it('ranges, wildcards and another connection', () => {
    expect(only('> #2 [ect0] . 1:*(10~20) ack * win 5~6 urg 1 <...>').act).toMatchObject({
      kind: 'expect',
      segment: {
        flow: 2,
        ecn: 2,
        seq: { from: 1, to: 1 },
        length: { from: 10, to: 20 },
        ack: null,
        win: { from: 5, to: 6 },
        urg: { from: 1, to: 1 },
        options: null,
      },
    });
  });

  it('each option', () => {
    const line =
      '< S 0:0(0) <mss 1460,sackOK,TS val 5 ecr last,nop,wscale 7,sack 1:2 3:4,eol,raw 0f ff>';
    const act = only(line).act;
    expect(act.kind === 'inject' && act.segment.options).toEqual([
      { kind: 'mss', value: { from: 1460, to: 1460 } },
      { kind: 'sackOK' },
      { kind: 'ts', val: { from: 5, to: 5 }, ecr: 'last' },
      { kind: 'nop' },
      { kind: 'wscale', value: { from: 7, to: 7 } },
      {
        kind: 'sack',
        blocks: [
          [1, 2],
          [3, 4],
        ],
      },
      { kind: 'eol' },
      { kind: 'raw', bytes: [15, 255] },
    ]);
  });

  it('an ICMP error', () => {
    expect(only('< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]').act).toEqual({
      kind: 'icmp',
      icmp: { flow: 1, type: 3, code: 4, mtu: 1200, seq: 1, length: 1460 },
    });
  });

  it.each([
    ['connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)', 'EINPROGRESS', -1],
    ['setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0', null, 0],
    ['state(4) = FIN_WAIT_2', 'FIN_WAIT_2', null],
    ['state == CLOSED // a comment', 'CLOSED', null],
    ['read(4, ..., 1000) = 500', null, 500],
  ])('the call %s', (line, name, value) => {
    const { act } = only(line);
    expect(act.kind === 'call' && act.call.wanted).toEqual({
      name,
      value: value === null ? null : { from: value, to: value },
    });
  });

  it('alternatives with their reason', () => {
    const [script] = parse(
      'ours-only (RFC 9293 has it so): > nothing\nlinux-only: > . 1:1(0) ack 1',
    );
    expect(script!.statements.map(({ only, reason }) => [only, reason])).toEqual([
      ['ours', 'RFC 9293 has it so'],
      ['linux', null],
    ]);
  });

  it('a preamble with values, and its place', () => {
    const [script] = parse('// Title\n--mtu=900\n`establish passive win=77`\n');
    expect(script).toMatchObject({ title: 'Title', parameters: new Map([['mtu', '900']]) });
    expect(script!.statements[0]).toMatchObject({
      text: '< S 0:0(0) win 77',
      place: {
        file: 'preambles/establish-passive.pkt',
        line: 2,
        from: { file: 'a.pkt', line: 3 },
      },
    });
  });

  it('cases with a common beginning', () => {
    const scripts = parse(
      '// CLOSED\n`establish passive`\n=== one\n> nothing\n=== two\nlinux: differs — we are stricter\n< R 1:1(0)',
    );
    expect(scripts.map(({ title }) => title)).toEqual(['CLOSED: one', 'CLOSED: two']);
    expect(scripts.map(({ statements }) => statements.length)).toEqual([3, 3]);
    expect(scripts.map(({ linux }) => linux)).toEqual([
      null,
      { kind: 'differs', reason: 'we are stricter' },
    ]);
  });

  it('where the event begins', () => {
    const scripts = parse(
      '> nothing\n=== one\n< R 1:1(0)\n=== two\n< R 1:1(0)\n> nothing\n---\n< R 2:2(0)',
    );
    expect(scripts.map(({ event }) => event)).toEqual([1, 3]);
  });
});

describe('what is wrong with a script, and where', () => {
  it.each([
    ['// nothing', 'a.pkt:1: the script has no statement'],
    ['\nfrobnicate', 'a.pkt:2: cannot read `frobnicate`: a line is a packet'],
    ['< 1:1(0)', 'a.pkt:1: flags are missing in front of `1:1(0)`'],
    ['< X. 1:1(0) ack 1', '`X` in `X.` is no flag'],
    ['< S', 'sequence numbers are missing'],
    ['< P. 1:100(100) ack 1', 'from 1 that ends at 101 (SYN and FIN are not counted)'],
    ['< . 1:1(0)', 'flags . have an ACK, so `ack N` (or `ack *`) has to follow'],
    ['< . 1:1(0) win 5 ack 1', 'cannot read `ack 1`'],
    ['< . 1:1(0) ack *', 'a packet that is sent needs exact numbers'],
    ['< . 1:1(0) ack 1 <...>', 'a packet that is sent needs exact numbers'],
    ['> S 0:0(0) <mss>', '`mss` is no option: mss N, wscale N'],
    ['> [ecn] S 0:0(0)', '[ecn] is none of noecn, ect1, ect0, ce'],
    ['< nothing', '`nothing` can be expected'],
    ['> icmp ttl_exceeded [1:1(0)]', 'can be sent, not expected'],
    ['< icmp unreachable far [1:1(0)]', '`icmp unreachable far` is none of net_unreachable'],
    ['< icmp unreachable frag_needed', 'an ICMP error is icmp KIND [mtu N] [SEQ:END(LENGTH)]'],
    ['* close(4) = 0', 'only a packet that is expected (>) may come at any time'],
    ['0.2~0.1 > nothing', 'the time ends before it begins'],
    ['0...0.1 accept(3, ..., ...) = 4', 'cannot read the time in `0...0.1 accept'],
    ['close(4)', 'cannot read `close(4)`; write it as close(FD) = 0'],
    ['read(4) = 1', 'read takes other arguments; write it as read(FD, ..., BYTES) = BYTES'],
    ['close(4) = fine', 'cannot read the result `fine`'],
    ['state(4) = OPEN', '`OPEN` is no state: CLOSED, LISTEN'],
    [
      'setsockopt(4, SOL_TCP, TCP_MAGIC, [1], 4) = 0',
      'TCP_MAGIC is none of the options known here',
    ],
    ['`no such`', 'there is no preamble `no-such` (preambles/no-such.pkt)'],
    ['`circle`', 'includes itself'],
    ['`broken`', 'preambles/broken.pkt:1 (for a.pkt:1): `Q` in `Q` is no flag'],
    ['< . 1:1(0) ack $n', '$n has no value; `let n = VALUE` gives it one'],
    ['--speed=9', '--speed is no parameter: mtu,'],
    ['--sack=maybe', "--sack takes on or off, not 'maybe'"],
    ['--ours.delayedAck=900', 'delayedAck'],
    ['--mtu', 'write --NAME=VALUE'],
    ['linux: differs', 'write `linux: differs — REASON`'],
    ['ours-only: > nothing', 'say why Linux differs'],
    ['linux-only: > nothing', 'say why Linux differs'],
    ['> nothing\n---', 'a.pkt:2: no statement follows ---'],
    ['> nothing\n===', 'a.pkt:2: a case needs a name: === NAME'],
    ['=== a\n> nothing\n=== a\n> nothing', 'a.pkt:3: there is another case `a`'],
  ])('%j', (text, message) => {
    expect(messageOf(text)).toContain(message);
  });
});
