// A congestion control of one's own, and what it does: TCP Vegas (Brakmo and Peterson, 1995), which
// watches the round-trip time and keeps 2 to 4 segments waiting in the queue of the slowest link.
//
//   node examples/congestion-control.mjs
//
// docs/congestion.md tells what each hook is given, and when.
import { Host, memoryPair, registerCongestionControl, VirtualRuntime } from 'tuntcp';

/** Segments that are to wait in the queue: at least, and at most. */
const ALPHA = 2;
const BETA = 4;

class Vegas {
  name = 'vegas';
  /** Shortest round trip ever, and of the round trip under way; ms. */
  #baseRtt = Infinity;
  #minRtt = Infinity;
  /** What `delivered` is when the round trip under way is over. */
  #roundEnd = 0;

  /** Every ACK: the samples. */
  onSample(_state, { rtt }) {
    if (rtt < 0) return;
    this.#baseRtt = Math.min(this.#baseRtt, rtt);
    this.#minRtt = Math.min(this.#minRtt, rtt);
  }

  /** ACKs while the window is in use: it changes once per round trip. */
  onAck(state, sample) {
    if (sample.priorDelivered < this.#roundEnd) return;
    this.#roundEnd = state.delivered;
    const rtt = this.#minRtt;
    this.#minRtt = Infinity;
    if (rtt === Infinity) return;
    const waiting = (state.cwnd * (1 - this.#baseRtt / rtt)) / state.sndMss;
    if (state.cwnd < state.ssthresh && waiting < ALPHA) {
      state.cwnd *= 2;
      return;
    }
    state.ssthresh = Math.min(state.ssthresh, state.cwnd);
    if (waiting < ALPHA) state.cwnd += state.sndMss;
    else if (waiting > BETA) state.cwnd = Math.max(state.cwnd - state.sndMss, 2 * state.sndMss);
  }

  onLoss(state, flight) {
    state.ssthresh = Math.max(flight >> 1, 2 * state.sndMss);
  }

  onTimeout(state, flight) {
    this.onLoss(state, flight);
  }
}

registerCongestionControl('vegas', () => new Vegas());

/** Sends 10 MB over 10 Mbit/s and 40 ms, with 200 kB of queue, on virtual time. */
function transfer(congestionControl) {
  const runtime = new VirtualRuntime(1);
  let busyUntil = 0;
  let longest = 0;
  const onPacket = (packet, from) => {
    if (from === 'b') return 0;
    const waits = Math.max(0, busyUntil - runtime.now());
    if (waits > 160) return -1;
    longest = Math.max(longest, waits);
    busyUntil = runtime.now() + waits + packet.length / 1250;
    return busyUntil - runtime.now();
  };
  const [a, b] = memoryPair({ runtime, delay: 20, onPacket });
  const sender = new Host({ runtime, link: a, address: '10.0.0.1/24', tcp: { congestionControl } });
  const receiver = new Host({ runtime, link: b, address: '10.0.0.2/24' });
  const bytes = new Uint8Array(10_000_000);
  let received = 0;
  receiver.listen({ port: 80 }, (connection) => ({
    ...nothing,
    readable() {
      for (let c = connection.read(); c !== null; c = connection.read()) received += c.length;
    },
  }));
  let sent = 0;
  const write = () => {
    sent += connection.write(bytes, sent);
  };
  const connection = sender.connect(
    { remoteAddress: '10.0.0.2', remotePort: 80 },
    { ...nothing, established: write, writable: write },
  );
  runtime.runUntil(() => received === bytes.length, 60_000);
  const rate = (received * 8) / runtime.now() / 1000;
  const { retransmits } = connection.info();
  return `${rate.toFixed(1)} Mbit/s, ${Math.round(longest)} ms in the queue at most, ${retransmits} segments sent again`;
}

const nothing = { established() {}, readable() {}, writable() {}, finished() {}, closed() {} };

for (const name of ['newreno', 'vegas']) console.log(`${name.padEnd(8)} ${transfer(name)}`);
