import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { dropName } from '../../../src/wire/drop-reason.js';
import {
  FRAG_NEEDED,
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  IcmpMessage,
  isIcmpError,
  parseIcmp,
  writeEchoReply,
  writeIcmp,
  writeIcmpError,
} from '../../../src/wire/icmp.js';

function parse(bytes: Uint8Array, offset: number, length: number) {
  const message = new IcmpMessage();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { drop: dropName(parseIcmp(bytes, view, offset, length, message)), message };
}

describe('ICMP', () => {
  it('reads an echo request', () => {
    const bytes = Buffer.from('08008f94000100016869', 'hex');
    const { drop, message } = parse(bytes, 0, bytes.length);
    expect(drop).toBe('none');
    expect(message).toEqual({
      type: ICMP_ECHO,
      code: 0,
      rest: 0x00010001,
      bodyOffset: 8,
      bodyLength: 2,
    });
  });

  it('replies to an echo request with the same data and a good checksum', () => {
    const random = new Random(11);
    for (let length = 0; length < 64; length++) {
      const request = Buffer.alloc(8 + length);
      const view = new DataView(request.buffer, request.byteOffset, request.length);
      const body = random.bytes(length);
      writeIcmp(view, request, 0, ICMP_ECHO, 0, 0x12345678, body, 0, length);
      const reply = Buffer.alloc(request.length + 3);
      const replyView = new DataView(reply.buffer, reply.byteOffset, reply.length);
      expect(writeEchoReply(replyView, reply, 3, request, 0, request.length)).toBe(request.length);
      const { drop, message } = parse(reply, 3, request.length);
      expect(drop).toBe('none');
      expect(message).toMatchObject({ type: ICMP_ECHO_REPLY, code: 0, rest: 0x12345678 });
      expect(reply.subarray(11)).toEqual(Buffer.from(body));
    }
  });

  it('drops what is short or damaged', () => {
    const bytes = Buffer.from('08008f94000100016869', 'hex');
    expect(parse(bytes, 0, 7).drop).toBe('icmpShort');
    expect(parse(bytes, 0, 9).drop).toBe('icmpChecksum');
    bytes[9]! ^= 1;
    expect(parse(bytes, 0, 10).drop).toBe('icmpChecksum');
  });

  it('answers an echo with the same body, of odd length and any alignment', () => {
    const body = new Random(1).bytes(1001);
    const bytes = new Uint8Array(1200);
    const view = new DataView(bytes.buffer);
    const length = writeIcmp(view, bytes, 3, ICMP_ECHO_REPLY, 0, -2, body, 0, body.length);
    expect(length).toBe(1009);
    const { drop, message } = parse(bytes, 3, length);
    expect(drop).toBe('none');
    expect(message).toMatchObject({ type: ICMP_ECHO_REPLY, rest: -2, bodyLength: 1001 });
    const copied = bytes.subarray(message.bodyOffset, message.bodyOffset + message.bodyLength);
    expect(Buffer.compare(copied, body)).toBe(0);
  });

  it('quotes no more than keeps an error within 576 bytes (RFC 1812 §4.3.2.3)', () => {
    const quoted = new Random(2).bytes(1500);
    const bytes = new Uint8Array(2000);
    const view = new DataView(bytes.buffer);
    const write = (length: number): number =>
      writeIcmpError(view, bytes, 20, ICMP_UNREACHABLE, FRAG_NEEDED, 1400, quoted, 4, length);
    expect(write(60)).toBe(68);
    expect(write(1496) + 20).toBe(576);
    const { drop, message } = parse(bytes, 20, 556);
    expect(drop).toBe('none');
    expect(message).toMatchObject({ type: 3, code: 4, rest: 1400, bodyLength: 548 });
    expect(Buffer.compare(bytes.subarray(28, 576), quoted.subarray(4, 552))).toBe(0);
  });

  it('knows which types are errors', () => {
    const errors = Array.from({ length: 256 }, (_, type) => type).filter(isIcmpError);
    expect(errors).toEqual([
      ICMP_UNREACHABLE,
      ICMP_SOURCE_QUENCH,
      ICMP_REDIRECT,
      ICMP_TIME_EXCEEDED,
      ICMP_PARAMETER_PROBLEM,
    ]);
  });
});
