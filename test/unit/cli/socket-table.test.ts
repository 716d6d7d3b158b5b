import { describe, expect, it } from 'vitest';
import { Counters } from '../../../src/base/counters.js';
import { type Rates, ratesBetween } from '../../../src/cli/rates.js';
import { bitRate, detailLine, socketTable } from '../../../src/cli/socket-table.js';
import { statisticsLines } from '../../../src/cli/statistics.js';
import { sparkline, topLines } from '../../../src/cli/top-screen.js';
import type { SocketInfo } from '../../../src/stack/connection.js';
import { DROP_REASONS, Drop } from '../../../src/wire/drop-reason.js';
import { INFO } from '../../support/connection-info.js';

const SOCKETS: SocketInfo[] = [
  {
    kind: 'listener',
    state: 'LISTEN',
    localAddress: '0.0.0.0',
    localPort: 80,
    pending: 2,
    backlog: 511,
  },
  { ...INFO, receiveBuffered: 12, sendBuffered: 2_097_152 },
  {
    kind: 'timeWait',
    state: 'TIME_WAIT',
    localAddress: '10.7.0.2',
    localPort: 7,
    remoteAddress: '10.7.0.1',
    remotePort: 40_000,
    sndNxt: 1,
    rcvNxt: 2,
    timers: [{ name: 'timeWait', remaining: 59_400 }],
  },
];

describe('socketTable', () => {
  it('is laid out as ss has it', () => {
    expect(socketTable(SOCKETS).join('\n')).toBe(
      [
        'State     Recv-Q Send-Q  Local Address:Port Peer Address:Port ',
        'LISTEN    2      511           0.0.0.0:80        0.0.0.0:*    ',
        'ESTAB     12     2097152      10.7.0.2:80       10.7.0.1:53122',
        'TIME-WAIT 0      0            10.7.0.2:7        10.7.0.1:40000',
      ].join('\n'),
    );
  });

  it('has its heading when there is nothing', () => {
    expect(socketTable([])).toEqual(['State Recv-Q Send-Q Local Address:Port Peer Address:Port']);
  });
});

describe('detailLine', () => {
  it('has ECN, the pacing rate and what the congestion control tells, in the words of the kernel', () => {
    const line = detailLine({
      ...INFO,
      ecn: true,
      ecnSeen: true,
      congestionControl: 'bbr',
      congestionInfo: { bw: 1_206_667, mrtt: 40.0481, pacingGain: 1.25, phase: 'up' },
      pacingRate: 1_493_250,
    });
    expect(line).toMatch(/^ts sack ecn ecnseen bbr wscale/);
    expect(line).toContain(' bbr:(bw:9.65Mbps,mrtt:40.048,pacing_gain:1.25,phase:up) send ');
    expect(line).toContain(' pacing_rate 11.9Mbps ');
  });

  it('speaks as ss -ti does', () => {
    expect(detailLine(INFO)).toBe(
      'ts sack newreno wscale:7,5 rto:200 rtt:0.125/0.063 mss:1448 pmtu:1500 cwnd:10 bytes_sent:15 ' +
        'bytes_received:73 segs_out:2 segs_in:3 send 927Mbps lastsnd:3 lastrcv:3 unacked:1 minrtt:0.125 ' +
        'rcv_space:14600 rcv_ssthresh:262144 rcv_wnd:1048576 snd_wnd:64256 timer:(retransmit,197ms,0)',
    );
  });

  it('names what is out of the ordinary', () => {
    const troubled = detailLine({
      ...INFO,
      timestamps: false,
      sack: false,
      sndWindowScale: 0,
      rcvWindowScale: 0,
      srtt: null,
      rttvar: null,
      rto: 1_600,
      cwnd: 1_448,
      ssthresh: 2_896,
      bytesRetransmitted: 30,
      retransmits: 3,
      backoff: 3,
      recovery: 'loss',
      deliveryRate: 1_250_000,
      minRtt: null,
      sacked: 2_000,
      lost: 100,
      reorderings: 4,
      dsacks: 5,
      outOfOrder: 100,
      noDelay: true,
      orphaned: true,
      lastReceived: null,
      timers: [
        { name: 'delayedAck', remaining: 12.2 },
        { name: 'persist', remaining: 1_500 },
        { name: 'finWait2', remaining: 60_000 },
        { name: 'keepAlive', remaining: 7_199_000 },
      ],
    });
    expect(troubled).toBe(
      'newreno rto:1600 mss:1448 pmtu:1500 cwnd:1 ssthresh:2 bytes_sent:15 bytes_retrans:30 ' +
        'bytes_received:73 segs_out:2 segs_in:3 lastsnd:3 delivery_rate 10Mbps unacked:1 retrans:3 sacked:2 lost:1 reord_seen:4 dsack_dups:5 recovery:loss ' +
        'ooo_bytes:100 rcv_space:14600 rcv_ssthresh:262144 rcv_wnd:1048576 snd_wnd:64256 nodelay orphaned timer:(delayed-ack,13ms) ' +
        'timer:(persist,1sec,3) timer:(fin-wait-2,1min) timer:(keepalive,119min)',
    );
  });

  it('has nothing to add to a listener, and to TIME_WAIT its end', () => {
    expect(SOCKETS.map(detailLine)[0]).toBe('');
    expect(SOCKETS.map(detailLine)[2]).toBe('timer:(timewait,59sec)');
  });
});

describe('statisticsLines', () => {
  it('shows zeros where netstat does, and only reasons that occurred', () => {
    const counters = new Counters(DROP_REASONS);
    counters.tcpInSegs = 12;
    counters.tcpTimeouts = 2;
    counters.drops[Drop.TCP_NO_CONNECTION] = 1;
    const lines = statisticsLines(counters.snapshot());
    expect(lines.slice(0, 2)).toEqual(['Ip:', '    0 total packets received']);
    expect(lines).toContain('    12 segments received');
    expect(lines.slice(-4)).toEqual([
      'TcpExt:',
      '    2 retransmission timeouts',
      'Drops:',
      '    1 tcpNoConnection',
    ]);
  });

  it('leaves out no counter that is not zero', () => {
    const counters = new Counters(DROP_REASONS);
    const names = Object.keys(counters.snapshot()).filter((name) => name !== 'drops');
    for (const [i, name] of names.entries()) Object.assign(counters, { [name]: 1000 + i });
    const text = statisticsLines(counters.snapshot()).join('\n');
    expect(names.filter((_, i) => !text.includes(`    ${1000 + i} `))).toEqual([]);
  });
});

describe('tuntcp top', () => {
  const at = (ms: number, bytes: number, received: number) => {
    const counters = new Counters(DROP_REASONS);
    counters.ipInOctets = bytes;
    counters.ipInReceives = bytes / 1_000;
    counters.drops[Drop.IP_TTL] = received > 0 ? 4 : 0;
    const sockets = [SOCKETS[0]!, { ...INFO, bytesReceived: received }];
    // The clock on the wall is set to anything meanwhile.
    return { at: 1e6 - ms, time: ms, counters: counters.snapshot(), sockets };
  };

  it('takes rates from two looks', () => {
    const rates = ratesBetween(at(1_000, 0, 0), at(3_000, 2_000_000, 1_500_000));
    expect(rates).toMatchObject({ bytesIn: 1_000_000, packetsIn: 1_000, drops: 2, bytesOut: 0 });
    expect(rates.connections).toMatchObject([{ in: 750_000, out: 0, info: { localPort: 80 } }]);
  });

  it('takes a new connection on the same ports for a new one', () => {
    const next = at(2_000, 0, 500);
    next.sockets[1] = { ...INFO, iss: 5, bytesReceived: 500 };
    expect(ratesBetween(at(1_000, 0, 90_000), next).connections[0]!.in).toBe(500);
  });

  it('fits the terminal', () => {
    const rates = ratesBetween(at(1_000, 0, 0), at(3_000, 2_000_000, 1_500_000));
    const slow: Rates = { ...rates, bytesIn: 250_000 };
    const identity = { device: 'tun0', pid: 42, network: '1', address: '10.7.0.2' };
    const wide = topLines(identity, [slow, rates], at(0, 0, 0).sockets, { columns: 80, rows: 24 });
    expect(wide).toMatchInlineSnapshot(`
      [
        "tun0  10.7.0.2  process 42",
        "in     8Mbps     1000 packets/s                                               ▃█",
        "out     0bps        0 packets/s                                               ▁▁",
        "retransmitted 0/s  dropped 2/s  1 LISTEN, 1 ESTAB",
        "",
        "State  Local        Peer               In   Out     RTT  Cwnd  Retrans  Send-Q",
        "ESTAB  10.7.0.2:80  10.7.0.1:53122  6Mbps  0bps  0.13ms    10        0       0",
      ]
    `);
    const many = { ...rates, connections: new Array(50).fill(rates.connections[0]!) };
    const small = topLines(identity, [many], SOCKETS, { columns: 40, rows: 10 });
    expect(small).toHaveLength(10);
    for (const line of small) expect(line.length).toBeLessThanOrEqual(40);
  });

  it('draws bars that end at the right', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], 8)).toBe('▂▃▄▅▆▇██');
    expect(sparkline([5], 4)).toBe('   █');
    expect(sparkline([0, 0], 2)).toBe('▁▁');
    expect(sparkline([1, 2], 0)).toBe('');
  });

  it.each([
    [0, '0bps'],
    [999, '999bps'],
    [999.7, '1Kbps'],
    [1_234_567, '1.23Mbps'],
    [12_345_678_901, '12.3Gbps'],
  ])('%d bits per second are %s', (bits, text) => {
    expect(bitRate(bits)).toBe(text);
  });
});
