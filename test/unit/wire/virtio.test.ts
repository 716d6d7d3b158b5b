import { describe, expect, it } from 'vitest';
import {
  clearVirtioHeader,
  VIRTIO_GSO_ECN,
  VIRTIO_GSO_TCPV4,
  VIRTIO_HEADER_BYTES,
  VIRTIO_NEEDS_CSUM,
  virtioFlags,
  virtioGsoType,
  virtioSegmentSize,
  virtioVouched,
  writeVirtioHeader,
} from '../../../src/wire/virtio.js';

function header(offset = 3): { bytes: Uint8Array; view: DataView; offset: number } {
  const bytes = new Uint8Array(offset + VIRTIO_HEADER_BYTES + 3).fill(0xee);
  return { bytes, view: new DataView(bytes.buffer), offset };
}

describe('virtio header', () => {
  it('asks the kernel to complete the TCP checksum and to cut the packet', () => {
    const { bytes, view, offset } = header();
    writeVirtioHeader(view, offset, 20, 1448, 52);
    expect([...bytes]).toEqual([
      ...[0xee, 0xee, 0xee],
      ...[1, 1, 52, 0, 0xa8, 0x05, 20, 0, 16, 0],
      ...[0xee, 0xee, 0xee],
    ]);
    expect(virtioSegmentSize(view, offset)).toBe(1448);
    expect(virtioVouched(view, offset)).toBe(true);
  });

  it('leaves a packet whole without a segment size', () => {
    const { bytes, view, offset } = header();
    writeVirtioHeader(view, offset, 24, 0, 64);
    expect([...bytes.subarray(3, 13)]).toEqual([1, 0, 64, 0, 0, 0, 24, 0, 16, 0]);
    expect(virtioSegmentSize(view, offset)).toBe(0);
  });

  it('clears its ten bytes and no others', () => {
    const { bytes, view, offset } = header();
    clearVirtioHeader(view, offset);
    expect([...bytes]).toEqual([0xee, 0xee, 0xee, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xee, 0xee, 0xee]);
    expect(virtioVouched(view, offset)).toBe(false);
  });

  it('reads DATA_VALID as vouched and looks past the ECN bit', () => {
    const { bytes, view, offset } = header();
    bytes.set([2, VIRTIO_GSO_TCPV4 | VIRTIO_GSO_ECN, 52, 0, 0xb4, 0x05, 20, 0, 16, 0], offset);
    expect(virtioFlags(view, offset) & VIRTIO_NEEDS_CSUM).toBe(0);
    expect(virtioVouched(view, offset)).toBe(true);
    expect(virtioGsoType(view, offset)).toBe(VIRTIO_GSO_TCPV4);
    expect(virtioSegmentSize(view, offset)).toBe(1460);
  });

  it('gives no segment size for another kind of super-segment', () => {
    const { bytes, view, offset } = header();
    bytes.set([1, 5, 28, 0, 0xb4, 0x05, 20, 0, 6, 0], offset);
    expect(virtioSegmentSize(view, offset)).toBe(0);
  });
});
