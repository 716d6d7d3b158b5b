// The kernel's UDP socket and hand-made packets talk across the link, both ways.
import dgram from 'node:dgram';
import { addon } from '../../../dist/link/native.js';
import { openTun } from '../../../dist/link/tun.js';
import { names, receiver, report, send, udp } from './packets.mjs';

const link = openTun({
  offload: process.argv[2] === 'offload',
  hostAddress: '10.7.0.1/24',
  routes: ['10.8.0.0/16'],
  mtu: 1400,
  txQueueLength: 777,
});
const result = {
  offload: link.offload,
  headroom: link.headroom,
  mtu: link.mtu,
  kernel: addon().interfaceInfo(link.name),
  names: names(),
};
const socket = dgram.createSocket('udp4');
link.open(
  receiver((packet, flags) => {
    result.in = {
      length: packet.length,
      dst: packet.subarray(16, 20).join('.'),
      text: packet.subarray(28).toString(),
      checksumLeft: flags === 1,
    };
    const reply = udp('10.8.1.2', 7777, '10.7.0.1', packet.readUInt16BE(20), 'from the link');
    send(link, reply);
  }),
);
socket.on('message', (data, from) => {
  result.out = { text: data.toString(), from: `${from.address}:${from.port}` };
  result.counters = link.counters;
  socket.close();
  link.close();
  result.namesAfter = names();
  report(result);
});
socket.bind(0, '10.7.0.1', () => socket.send('from the kernel', 7777, '10.8.1.2'));
