// Two hosts of ours on two devices, with the kernel as the router between them. One device has offload, the
// other has not: the kernel has to cut what the one sends, and to complete its checksums, before the
// other takes it.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { openTun, Stack } from '../../../dist/index.js';
import { report } from './packets.mjs';

const BYTES = 16 * 1024 * 1024;

writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
const near = new Stack({ link: openTun({ hostAddress: '10.7.0.1/24' }), address: '10.7.0.2/24' });
const far = new Stack({
  link: openTun({ hostAddress: '10.8.0.1/24', offload: false }),
  address: '10.8.0.2/24',
});
const text = Buffer.alloc(BYTES);
for (let i = 0; i < BYTES; i++) text[i] = (i * 7919) >> 3;
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

const server = near.net
  .createServer((socket) => socket.end(text))
  .listen(80, () => {
    const received = [];
    far.net
      .connect(80, '10.7.0.2')
      .on('data', (data) => received.push(data))
      .on('end', () => {
        const { ipOutRequests, ipOutOctets } = near.counters;
        report({
          same: hash(Buffer.concat(received)) === hash(text),
          meanPacket: ipOutOctets / ipOutRequests,
          checksumErrors: far.counters.tcpInCsumErrors,
        });
        server.close();
        near.close();
        far.close();
      });
  });
