import { describe, expect, it } from 'vitest';
import { checksum } from '../../../src/wire/checksum.js';
import { PROTOCOL_ICMP, PROTOCOL_TCP, parseAddress, writeIpv4 } from '../../../src/wire/ipv4.js';
import { formatFlags, LinePrinter } from '../../../src/wire/print.js';
import { flagsOf } from '../../support/packet.js';

interface Fields {
  from?: [string, number];
  to?: [string, number];
  flags: string;
  seq?: number;
  ack?: number;
  win?: number;
  urg?: number;
  options?: number[];
  data?: string;
}

const A: [string, number] = ['10.7.0.1', 40000];
const B: [string, number] = ['10.7.0.2', 7];

function tcp(fields: Fields): Uint8Array {
  const { from = A, to = B, options = [], data = '' } = fields;
  const header = 20 + options.length;
  const payload = Buffer.concat([Buffer.alloc(header), Buffer.from(data)]);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  view.setUint16(0, from[1]);
  view.setUint16(2, to[1]);
  view.setUint32(4, fields.seq ?? 0);
  view.setUint32(8, fields.ack ?? 0);
  view.setUint8(12, header << 2);
  view.setUint8(13, flagsOf(fields.flags));
  view.setUint16(14, fields.win ?? 65535);
  view.setUint16(18, fields.urg ?? 0);
  payload.set(options, 20);
  return ip(PROTOCOL_TCP, payload, from[0], to[0]);
}

function ip(protocol: number, payload: Uint8Array, from = A[0], to = B[0]): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = new DataView(packet.buffer);
  const source = parseAddress(from)!;
  writeIpv4(view, 0, 0, packet.length, 1, 0, 64, protocol, source, parseAddress(to)!);
  packet.set(payload, 20);
  return packet;
}

const HEAD = 'IP 10.7.0.1.40000 > 10.7.0.2.7: ';
const BACK = 'IP 10.7.0.2.7 > 10.7.0.1.40000: ';
const lineOf = (fields: Fields) => new LinePrinter({ absolute: true }).line(tcp(fields));

describe('LinePrinter', () => {
  it('shows options in the order in which they stand, padding included', () => {
    const options = [2, 4, 5, 180, 4, 2, 8, 10, 255, 255, 255, 255, 0, 0, 0, 0, 1, 3, 3, 7];
    expect(lineOf({ flags: 'S', seq: 4294967295, options })).toBe(
      `${HEAD}Flags [S], seq 4294967295, win 65535, options [mss 1460,sackOK,TS val 4294967295 ecr 0,nop,wscale 7], length 0`,
    );
    expect(lineOf({ flags: '.', options: [1, 77, 4, 1, 2, 0, 9, 9] })).toBe(
      `${HEAD}Flags [.], ack 0, win 65535, options [nop,unknown-77 0x0102,eol], length 0`,
    );
  });

  it('counts from the first segment with ACK in both directions, across the wrap', () => {
    const printer = new LinePrinter();
    const line = (fields: Fields) => printer.line(tcp(fields));
    const back = { from: B, to: A };
    expect(line({ flags: 'S', seq: 0xffffffff })).toContain('Flags [S], seq 4294967295, win');
    expect(line({ ...back, flags: 'S.', seq: 500, ack: 0 })).toBe(
      `${BACK}Flags [S.], seq 500, ack 0, win 65535, length 0`,
    );
    expect(line({ flags: 'P.', seq: 0, ack: 501, data: 'hello' })).toBe(
      `${HEAD}Flags [P.], seq 1:6, ack 1, win 65535, length 5`,
    );
    const sack = [1, 1, 5, 10, 0, 0, 0, 10, 0, 0, 0, 20];
    expect(line({ ...back, flags: '.', seq: 501, ack: 5, options: sack })).toBe(
      `${BACK}Flags [.], ack 6, win 65535, options [nop,nop,sack 1 {11:21}], length 0`,
    );
    expect(line({ flags: 'R', seq: 5 })).toBe(`${HEAD}Flags [R], seq 5, win 65535, length 0`);
    expect(line({ ...back, flags: 'S.', seq: 9000, ack: 77 })).toContain('seq 9000, ack 77');
    expect(line({ flags: 'F.', seq: 77, ack: 9001 })).toContain('Flags [F.], seq 1, ack 1, win');
  });

  it('keeps conversations apart', () => {
    const printer = new LinePrinter();
    const other: [string, number] = ['10.7.0.1', 40001];
    printer.line(tcp({ from: B, to: A, flags: 'S.', seq: 100, ack: 200 }));
    printer.line(tcp({ from: B, to: other, flags: 'S.', seq: 1000, ack: 2000 }));
    expect(printer.line(tcp({ flags: '.', seq: 200, ack: 101 }))).toContain('ack 1,');
    expect(printer.line(tcp({ from: other, flags: '.', seq: 2000, ack: 1004 }))).toContain(
      'ack 4,',
    );
  });

  it('shows urgent data and flags in tcpdump’s order', () => {
    expect(lineOf({ flags: '.U', urg: 4 })).toBe(
      `${HEAD}Flags [.U], ack 0, win 65535, urg 4, length 0`,
    );
    expect(formatFlags(0)).toBe('none');
    expect(formatFlags(0xff)).toBe('FSRP.UEW');
  });

  it('names the first line of HTTP', () => {
    const to: [string, number] = ['10.7.0.2', 80];
    const line = (data: string) => lineOf({ to, flags: 'P.', data }).replace(/.*length/, 'length');
    expect(line('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('length 27: HTTP: GET / HTTP/1.1');
    expect(line('HTTP/1.1 404 Not Found\r\n')).toBe('length 24: HTTP: HTTP/1.1 404 Not Found');
    expect(line('gibberish')).toBe('length 9: HTTP');
  });

  it('shows echoes, fragments and other protocols', () => {
    const echo = Buffer.from([8, 0, 0, 0, 0, 7, 0, 3, 1, 2, 3, 4]);
    const view = new DataView(echo.buffer, echo.byteOffset, echo.length);
    view.setUint16(2, checksum(echo, view, 0, echo.length));
    const printer = new LinePrinter();
    expect(printer.line(ip(PROTOCOL_ICMP, echo))).toBe(
      'IP 10.7.0.1 > 10.7.0.2: ICMP echo request, id 7, seq 3, length 12',
    );
    const fragment = ip(PROTOCOL_TCP, Buffer.alloc(8));
    fragment[7] = 1;
    expect(printer.line(fragment)).toBe('IP 10.7.0.1 > 10.7.0.2: tcp');
  });

  it('gives a line for every packet, however broken or cut off', () => {
    const options = [2, 4, 5, 180, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 3, 200];
    const whole = tcp({ flags: '.', options, data: 'hello' });
    expect(new LinePrinter().line(whole)).toMatch(/\[mss 1460,sack 1 \{2:3\},\[bad opt\]\]$/);
    for (let length = 0; length < whole.length; length++) {
      const line = new LinePrinter().line(whole, 0, length);
      expect(line).toMatch(/^IP .*(?:\[\|\w+\]|\[bad opt\]\])$/);
    }
    for (let i = 0; i < whole.length; i++) {
      const broken = whole.slice();
      broken[i] = 0xff;
      expect(new LinePrinter().line(broken)).toMatch(/^IP/);
    }
  });
});
