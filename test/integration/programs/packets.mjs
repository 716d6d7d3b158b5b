// Hand-made packets for programs that try the bare link.
import { networkInterfaces } from 'node:os';
import { TxBatch } from '../../../dist/base/batch.js';
import { clearVirtioHeader, writeVirtioHeader } from '../../../dist/wire/virtio.js';

export const names = () => Object.keys(networkInterfaces());

/** The one's complement sum of `bytes` on top of `sum`, folded. */
export function sum16(bytes, sum = 0) {
  let total = sum;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

const addressBytes = (text) => Buffer.from(text.split('.').map(Number));

/** An IPv4 packet; `body` is everything behind its header. */
export function ipv4(protocol, src, dst, body) {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(Math.min(20 + body.length, 65535), 2);
  header.writeUInt16BE(0x4000, 6);
  header[8] = 64;
  header[9] = protocol;
  addressBytes(src).copy(header, 12);
  addressBytes(dst).copy(header, 16);
  header.writeUInt16BE(~sum16(header) & 0xffff, 10);
  return Buffer.concat([header, body]);
}

function pseudoHeader(protocol, src, dst, length) {
  return Buffer.concat([
    addressBytes(src),
    addressBytes(dst),
    Buffer.from([0, protocol, length >> 8, length & 0xff]),
  ]);
}

export function udp(src, srcPort, dst, dstPort, payload) {
  const body = Buffer.concat([Buffer.alloc(8), Buffer.from(payload)]);
  body.writeUInt16BE(srcPort, 0);
  body.writeUInt16BE(dstPort, 2);
  body.writeUInt16BE(body.length, 4);
  const sum = sum16(body, sum16(pseudoHeader(17, src, dst, body.length)));
  body.writeUInt16BE(~sum & 0xffff || 0xffff, 6);
  return ipv4(17, src, dst, body);
}

/** A TCP segment without options whose checksum is left to the kernel. */
export function tcp({ src, srcPort, dst, dstPort, seq, ack, flags, payload = Buffer.alloc(0) }) {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(srcPort, 0);
  header.writeUInt16BE(dstPort, 2);
  header.writeUInt32BE(seq, 4);
  header.writeUInt32BE(ack, 8);
  header[12] = 0x50;
  header[13] = flags;
  header.writeUInt16BE(65535, 14);
  header.writeUInt16BE(sum16(pseudoHeader(6, src, dst, 20 + payload.length)), 16);
  return ipv4(6, src, dst, Buffer.concat([header, payload]));
}

/** Sends one packet: headers in the arena, the rest as a piece of its own. */
export function send(link, packet, offload) {
  const batch = new TxBatch();
  const head = Math.min(packet.length, 40);
  const at = batch.begin(link.headroom + head);
  if (link.headroom > 0) {
    if (offload) writeVirtioHeader(batch.view, at, 20, offload.gsoSize, 40);
    else clearVirtioHeader(batch.view, at);
  }
  packet.copy(batch.bytes, at + link.headroom, 0, head);
  if (packet.length > head) batch.append(packet, head, packet.length - head);
  link.send(batch);
}

/** A receiver that calls `onPacket(bytes, flags, segmentSize)` for each IPv4 packet. */
export function receiver(onPacket, more = {}) {
  return {
    receive(batch) {
      for (let i = 0; i < batch.count; i++) {
        const at = batch.offset[i];
        const packet = Buffer.from(batch.bytes.subarray(at, at + batch.length[i]));
        if (packet[0] >> 4 === 4) onPacket(packet, batch.flags[i], batch.segmentSize[i]);
      }
    },
    writable() {},
    closed() {},
    ...more,
  };
}

/** Answers echo requests, as a host would. */
export function echoReplier(link) {
  return receiver((packet) => {
    if (packet[9] !== 1 || packet[20] !== 8) return;
    const src = packet.subarray(12, 16).join('.');
    const dst = packet.subarray(16, 20).join('.');
    const body = Buffer.from(packet.subarray(20));
    body[0] = 0;
    body.writeUInt16BE(0, 2);
    body.writeUInt16BE(~sum16(body) & 0xffff, 2);
    send(link, ipv4(1, dst, src, body));
  });
}

export function report(value) {
  console.log(JSON.stringify(value));
}

/** What an error says, for the test to look at. */
export function told(run) {
  try {
    run();
  } catch ({ name, code, errno, syscall, message }) {
    return { name, code, errno, syscall, message };
  }
  return undefined;
}
