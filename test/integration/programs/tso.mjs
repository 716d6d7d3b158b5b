// Super-segments both ways between the kernel's TCP and a hand-made peer.
import { createHash } from 'node:crypto';
import net from 'node:net';
import { openTun } from '../../../dist/link/tun.js';
import { receiver, report, send, tcp } from './packets.mjs';

const link = openTun({ hostAddress: '10.7.0.1/24' });
const payload = Buffer.alloc(60_000);
for (let i = 0; i < payload.length; i++) payload[i] = (i * 7919) >> 3;
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

let next = 0;
let largest = { length: 0 };
const arrived = [];
let arrivedBytes = 0;

link.open(
  receiver((packet, flags, segmentSize) => {
    if (packet[9] !== 6) return;
    const headers = 20 + (packet[32] >> 4) * 4;
    const data = packet.subarray(headers);
    const reply = {
      src: '10.7.0.2',
      srcPort: 80,
      dst: '10.7.0.1',
      dstPort: packet.readUInt16BE(20),
    };
    if (packet[33] & 0x02) {
      next = packet.readUInt32BE(24) + 1;
      send(link, tcp({ ...reply, seq: 1000, ack: next >>> 0, flags: 0x12 }), { gsoSize: 0 });
      return;
    }
    if (data.length === 0) return;
    if (packet.length > largest.length) largest = { length: packet.length, segmentSize, flags };
    arrived.push(data);
    arrivedBytes += data.length;
    next = (next + data.length) >>> 0;
    const whole = arrivedBytes === payload.length;
    const segment = { ...reply, seq: 1001, ack: next, flags: 0x10 };
    send(
      link,
      tcp(whole ? { ...segment, payload } : segment),
      whole ? { gsoSize: 1460 } : { gsoSize: 0 },
    );
  }),
);

const echoed = [];
let echoedBytes = 0;
const socket = net.connect(80, '10.7.0.2', () => socket.write(payload));
socket.on('data', (data) => {
  echoed.push(data);
  echoedBytes += data.length;
  if (echoedBytes < payload.length) return;
  const all = Buffer.concat(arrived);
  report({
    offload: link.offload,
    largest,
    in: hash(all) === hash(payload),
    out: hash(Buffer.concat(echoed)) === hash(payload),
    counters: link.counters,
  });
  socket.destroy();
  link.close();
});
