// An echo server on our own TCP behind a device that marks congestion on every Nth ECN-capable packet,
// in both directions. Arguments: port, N, congestion control, 1 for pacing. Prints `ready`, and when a
// connection has ended what it was and the counters, as JSON.
import { LinkWrapper } from '../../../../dist/link/link-wrapper.js';
import { openTun } from '../../../../dist/link/tun.js';
import { Stack } from '../../../../dist/net/stack.js';

const [port, every, congestionControl, pacing] = process.argv.slice(2);

class Marking extends LinkWrapper {
  #seen = 0;
  /** Of super-segments: how many we have sent with CWR. */
  cwr = 0;

  open(receiver) {
    this.inner.open({
      receive: (batch) => {
        for (let i = 0; i < batch.count; i++) this.#mark(batch.bytes, batch.offset[i]);
        receiver.receive(batch);
      },
      writable: () => receiver.writable(),
      closed: () => receiver.closed(),
    });
  }

  send(batch) {
    for (let i = 0; i < batch.count; i++) {
      const piece = i === 0 ? 0 : batch.pieceEnd[i - 1];
      const at = batch.pieces[piece * 3 + 1] + this.headroom;
      if (batch.packetLength(i) > 2000 && (batch.bytes[at + 33] & 0x80) !== 0) this.cwr++;
      this.#mark(batch.bytes, at);
    }
    super.send(batch);
  }

  #mark(bytes, at) {
    const before = bytes[at + 1];
    if ((before & 3) === 0 || ++this.#seen % every !== 0) return;
    bytes[at + 1] |= 3;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sum = (~view.getUint16(at + 10) & 0xffff) + bytes[at + 1] - before;
    view.setUint16(at + 10, ~(sum + (sum >> 16)) & 0xffff);
  }
}

const link = new Marking(openTun({ hostAddress: '10.7.0.1/24' }));
const tcp = { congestionControl, pacing: pacing === '1' };
const stack = new Stack({ link, address: '10.7.0.2/24', tcp });
stack.net
  .createServer({ allowHalfOpen: true }, (socket) => {
    let info;
    socket.on('data', () => {
      info ??= [...stack.host.connections()].find(({ kind }) => kind === 'connection');
    });
    socket.on('close', () => {
      const { tcpInCeSegs, tcpEcnReductions, tcpFastRetransmits } = stack.host.counters;
      const counters = { tcpInCeSegs, tcpEcnReductions, tcpFastRetransmits };
      console.log(JSON.stringify({ ecn: info.ecn, counters, cwr: link.cwr }));
    });
    socket.pipe(socket);
  })
  .listen(Number(port), () => console.log('ready'));
