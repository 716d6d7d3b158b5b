import { describe, expect, it } from 'vitest';
import { seq } from '../../../src/base/seq.js';
import { parseAddress } from '../../../src/wire/ipv4.js';
import { formatFlags, formatSegment } from '../../../src/wire/print.js';
import {
  ACK,
  OPT_MSS,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_TIMESTAMPS,
  OPT_WINDOW_SCALE,
  PSH,
  RST,
  Segment,
  SYN,
  URG,
} from '../../../src/wire/segment.js';

function segment(fields: Partial<Omit<Segment, 'sack' | 'dataLength' | 'segLen'>>): Segment {
  return Object.assign(
    new Segment(),
    {
      srcAddr: parseAddress('10.7.0.1'),
      srcPort: 40000,
      dstAddr: parseAddress('10.7.0.2'),
      dstPort: 80,
      wnd: 65535,
    },
    fields,
  );
}

const HEAD = '10.7.0.1.40000 > 10.7.0.2.80: ';

describe('formatSegment', () => {
  it('shows a SYN and its options', () => {
    const syn = segment({
      flags: SYN,
      seq: seq(-1),
      options: OPT_MSS | OPT_SACK_PERMITTED | OPT_TIMESTAMPS | OPT_WINDOW_SCALE,
      mss: 1460,
      windowScale: 7,
      tsVal: -1,
    });
    expect(formatSegment(syn)).toBe(
      `${HEAD}Flags [S], seq 4294967295, win 65535, options [mss 1460,sackOK,TS val 4294967295 ecr 0,nop,wscale 7], length 0`,
    );
  });

  it('shows the range of data, relative across the wrap', () => {
    const data = segment({ flags: PSH | ACK, seq: seq(-1), ack: seq(501), length: 3, length2: 2 });
    expect(formatSegment(data)).toBe(
      `${HEAD}Flags [P.], seq 4294967295:4, ack 501, win 65535, length 5`,
    );
    expect(formatSegment(data, { seq: seq(-2), ack: seq(500) })).toBe(
      `${HEAD}Flags [P.], seq 1:6, ack 1, win 65535, length 5`,
    );
  });

  it('leaves the sequence number of a pure ACK out and shows its SACK blocks', () => {
    const ack = segment({
      flags: ACK,
      ack: seq(1001),
      options: OPT_TIMESTAMPS | OPT_SACK,
      tsVal: 5,
      tsEcr: 6,
      sackCount: 2,
    });
    ack.sack.set([1100, 1200, 1300, 1400]);
    expect(formatSegment(ack, { seq: seq(0), ack: seq(1000) })).toBe(
      `${HEAD}Flags [.], ack 1, win 65535, options [nop,nop,TS val 5 ecr 6,nop,nop,sack 2 {100:200}{300:400}], length 0`,
    );
  });

  it('shows resets and urgent data', () => {
    expect(formatSegment(segment({ flags: RST, seq: seq(7), wnd: 0 }))).toBe(
      `${HEAD}Flags [R], seq 7, win 0, length 0`,
    );
    expect(formatSegment(segment({ flags: ACK | URG, urg: 4 }))).toBe(
      `${HEAD}Flags [.U], ack 0, win 65535, urg 4, length 0`,
    );
  });

  it('shows flags in tcpdump’s order', () => {
    expect(formatFlags(0)).toBe('none');
    expect(formatFlags(0xff)).toBe('FSRP.UEW');
  });
});
