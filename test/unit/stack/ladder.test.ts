import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.js';
import { conversationsIn } from '../../../src/stack/captured-conversations.js';
import type { Conversation } from '../../../src/stack/conversation.js';
import { renderLadder } from '../../../src/stack/ladder.js';
import { joinLadders } from '../../../src/stack/ladder-join.js';
import { renderMermaid } from '../../../src/stack/ladder-mermaid.js';
import { type Ladder, ladderOf } from '../../../src/stack/ladder-model.js';
import { renderSvg } from '../../../src/stack/ladder-svg.js';
import { Recorder } from '../../../src/stack/recorder.js';
import { State } from '../../../src/tcp/state.js';
import { ACK } from '../../../src/wire/segment.js';
import { checkMermaid } from '../../support/mermaid.js';
import { SEED } from '../../support/seed.js';
import { checkXml } from '../../support/xml.js';
import { Scene } from './scene.js';
import { connection, segment } from './segments.js';

const joined = (scene: Scene): Ladder => joinLadders(scene.atClient, scene.atServer);

/** Every way to draw it, each checked. */
function draw(what: Conversation | Ladder): string {
  checkMermaid(renderMermaid(what));
  checkXml(renderSvg(what));
  for (const width of [40, 60, 83, 84, 104, 140]) {
    for (const line of renderLadder(what, { width }).split('\n')) {
      if (!line.includes(':80')) {
        expect(line.length).toBeLessThanOrEqual(width);
      }
    }
  }
  return renderLadder(what, { width: 116 });
}

/** The states of both sides in order, of each row that enters any, as `SYN_SENT | SYN_RECEIVED`. */
function states({ rows }: Ladder): string[] {
  return rows.flatMap((row) => {
    if (row.kind === 'gap' || row.left.length + row.right.length === 0) return [];
    return [`${row.left} | ${row.right}`];
  });
}

describe('a ladder of two traces', () => {
  it('has a handshake, a request and a close by the client', () => {
    const scene = new Scene();
    scene.open();
    scene.server.endsWithPeer = true;
    scene.client.write('hello');
    scene.run(50);
    scene.client.end();
    scene.run(100_000);
    expect(draw(joined(scene))).toMatchSnapshot();
    expect(renderLadder(joined(scene), { width: 72 })).toMatchSnapshot();
    expect(renderMermaid(joined(scene))).toMatchSnapshot();
  });

  it('has SYNs that cross, each sent in one row and arriving in another', () => {
    const scene = new Scene();
    scene.connect();
    scene.connectBack();
    scene.run(30);
    const ladder = joined(scene);
    expect(draw(ladder)).toMatchSnapshot();
    expect(ladder.rows.slice(0, 3)).toMatchObject([
      { part: 'departure', to: 'right', left: ['SYN_SENT'], right: [] },
      { part: 'whole', to: 'left', arrival: 5, left: ['SYN_RECEIVED'], right: ['SYN_SENT'] },
      { part: 'arrival', to: 'right', arrival: 5, left: [], right: ['SYN_RECEIVED'] },
    ]);
  });

  it('has FINs that cross', () => {
    const scene = new Scene();
    scene.open();
    scene.client.end();
    scene.server.end();
    scene.run(100_000);
    expect(draw(joined(scene))).toMatchSnapshot();
  });

  it('has a half-close that the other end talks on after', () => {
    const scene = new Scene();
    scene.open();
    scene.client.end();
    scene.run(100);
    scene.server.write('last words');
    scene.run(100);
    scene.server.end();
    scene.run(100_000);
    expect(states(joined(scene)).slice(3)).toEqual([
      'FIN_WAIT_1 | CLOSE_WAIT',
      'FIN_WAIT_2 | ',
      'TIME_WAIT | LAST_ACK',
      ' | CLOSED',
      'CLOSED | ',
    ]);
    expect(draw(joined(scene))).toContain('len=10');
  });

  it('has an abort', () => {
    const scene = new Scene();
    scene.open();
    scene.server.connection.abort();
    scene.run(20);
    expect(states(joined(scene)).at(-1)).toBe('CLOSED | CLOSED');
    expect(draw(joined(scene))).toMatch(/CLOSED \|<-+ RST.*\| CLOSED$/m);
  });

  it('has a lost segment, the timer that fired, and the segment again', () => {
    const scene = new Scene([4], [], { lossDetection: 'sack' });
    scene.open();
    scene.client.write('hello');
    scene.run(1_000);
    const text = draw(joined(scene));
    expect(text).toMatchSnapshot();
    expect(text).toMatch(/\|---- PSH ACK seq=1 ack=1 len=5 .*X {5}\|/);
    expect(text).toContain('RTO fired after ');
    expect(text).toContain('len=5 (again: RTO)');
    expect(text).toContain('X: lost');
    expect(renderMermaid(joined(scene))).toMatch(/left-xright: .* len=5/);
  });

  it('shows a segment that was doubled on the way, and finds which of two alike was lost', () => {
    const doubled = new Scene([], [4]);
    doubled.open();
    doubled.client.write('hello');
    doubled.run(100);
    const rows = joined(doubled).rows.filter(
      (row) => row.kind === 'segment' && row.line.length === 5,
    );
    expect(rows).toMatchObject([
      { part: 'whole', lost: 'no', arrival: 25 },
      { part: 'arrival', arrival: 25, line: { dropped: 'tcpUnacceptableSeq' } },
    ]);
    const again = new Scene([4, 5], [], { lossDetection: 'sack' });
    again.open();
    again.client.write('hello');
    again.run(2_000);
    const sent = joined(again).rows.filter(
      (row) => row.kind === 'segment' && row.line.length === 5,
    );
    expect(sent).toMatchObject([{ lost: 'yes' }, { lost: 'yes' }, { lost: 'no', arrival: 655 }]);
    draw(joined(doubled));
  });

  it('has the probe for a tail, and the timer for what may only be late', () => {
    const tail = new Scene([4]);
    tail.open();
    tail.client.write('hello');
    tail.run(1_000);
    expect(draw(joined(tail))).toMatch(
      /loss-probe timer fired after 210 ms.*\n.*len=5 \(again: TLP\)/,
    );
    const late = new Scene([4]);
    late.open();
    late.client.write(Buffer.alloc(3 * 1_460));
    late.run(1_000);
    expect(draw(joined(late))).toMatch(/reordering timer fired.*\n.*\(again: RACK\)/);
  });

  it('has what is on its way when the recording ends', () => {
    const scene = new Scene();
    scene.open();
    scene.client.write('hello');
    scene.run(2);
    expect(joined(scene).rows.at(-1)).toMatchObject({ part: 'departure', lost: 'no' });
    expect(draw(joined(scene))).not.toContain('lost');
  });

  it('folds a long transfer in every drawing', () => {
    const scene = new Scene();
    scene.open();
    scene.client.write(Buffer.alloc(100_000));
    scene.run(1_000);
    const ladder = joined(scene);
    const text = draw(ladder);
    expect(text).toMatch(/\.\.\. \d+ segments, \d+ kB \.\.\./);
    expect(text.split('\n').length).toBeLessThan(20);
    expect(renderMermaid(ladder)).toMatch(/Note over left,right: \.\.\. \d+ segments/);
    expect(renderSvg(ladder)).toMatch(/>\.\.\. \d+ segments, \d+ kB \.\.\.</);
  });
});

describe('a ladder of one trace', () => {
  it('infers what the other trace says, but for the end of TIME_WAIT', () => {
    const scene = new Scene();
    scene.open();
    scene.server.endsWithPeer = true;
    scene.client.end();
    scene.run(100_000);
    const both = joined(scene);
    const server = ladderOf(scene.atServer);
    expect(server.left).toMatchObject({ inferred: true, initial: 'CLOSED' });
    expect(server.right).toMatchObject({ inferred: false, initial: 'LISTEN' });
    expect(states(server)).toEqual(states(both).slice(0, -1));
    expect(draw(scene.atServer)).toMatchSnapshot();
    const client = states(ladderOf(scene.atClient));
    const mirrored = states(both).map((line) => line.split(' | ').reverse().join(' | '));
    expect(client).toEqual(mirrored);
  });

  it('presumes lost what was sent again, but not what a SACK has named', () => {
    const scene = new Scene([4]);
    scene.open();
    for (let i = 0; i < 5; i++) {
      scene.client.write(Buffer.alloc(1_460));
      scene.run(1);
    }
    scene.run(1_000);
    const rows = ladderOf(scene.atClient).rows.filter((row) => row.kind === 'segment');
    const lost = rows.filter((row) => row.lost !== 'no');
    expect(lost).toMatchObject([{ lost: 'presumed', line: { seq: 1, retransmission: false } }]);
    expect(rows.find((row) => row.line.retransmission)?.line.cause?.name).toBe('RACK');
    expect(draw(scene.atClient)).toContain('(X): presumed lost');
  });

  it('presumes nothing lost that a SACK named before, or a D-SACK after', () => {
    const lostIn = (sack: number[], dsack: number[]) => {
      const recorder = new Recorder();
      const at = connection(1, State.ESTABLISHED);
      const send = (seq: number, now: number) =>
        recorder.sent(segment(false, { flags: ACK, seq, ack: 1, len: 100 }), at, now);
      const hear = (ack: number, blocks: number[], now: number) => {
        const fields = { flags: ACK, seq: 1, ack, ...(blocks.length > 0 && { sack: blocks }) };
        recorder.received(segment(true, fields), at, now);
      };
      send(0, 0);
      send(100, 1);
      hear(0, sack, 10);
      send(0, 200);
      send(100, 201);
      hear(200, dsack, 210);
      const { rows } = ladderOf(recorder.find('10.7.0.1', 53122, 80)!);
      return rows.flatMap((row) => (row.kind === 'segment' && row.lost !== 'no' ? [row.time] : []));
    };
    expect(lostIn([], [])).toEqual([0, 1]);
    expect(lostIn([100, 200], [])).toEqual([0]);
    expect(lostIn([], [0, 100])).toEqual([1]);
  });

  it('says how long an ACK was held, and why what arrived went no further', () => {
    const scene = new Scene([5]);
    scene.open();
    scene.client.write('hello');
    scene.run(1_000);
    const text = draw(scene.atServer);
    expect(text).toContain('(dropped: tcpUnacceptableSeq)');
    const other = new Scene();
    other.open();
    other.client.end();
    other.run(1_000);
    expect(draw(other.atServer)).toContain('(delayed ACK, 40 ms)');
  });
});

describe('a ladder of a capture', () => {
  it('infers what the traces say', () => {
    const scene = new Scene([5]);
    scene.open();
    scene.client.write('hello');
    scene.run(1_000);
    scene.client.end();
    scene.run(100);
    scene.server.end();
    scene.run(100_000);
    const conversations = conversationsIn(scene.packets());
    expect(conversations).toHaveLength(1);
    const ladder = ladderOf(conversations[0]!);
    expect(states(ladder)).toEqual(states(joined(scene)).slice(0, -1));
    const text = draw(conversations[0]!);
    expect(text).toMatchSnapshot();
    expect(text).toContain('len=5 (again) (dropped: tcpUnacceptableSeq)');
  });

  it('begins in the middle, with states that it can know', () => {
    const scene = new Scene();
    scene.open();
    scene.client.write('hello');
    scene.run(100);
    scene.server.end();
    scene.run(10);
    const packets = [...scene.packets()].slice(3);
    const ladder = ladderOf(conversationsIn(packets)[0]!);
    expect(ladder.right).toMatchObject({ label: '10.0.0.2:80', initial: 'ESTABLISHED' });
    expect(states(ladder)).toEqual([' | FIN_WAIT_1']);
  });

  it('tells a connection from the next between the same ends', () => {
    const scene = new Scene();
    scene.connect();
    scene.run(20);
    scene.connect();
    scene.run(20);
    const conversations = conversationsIn(scene.packets());
    expect(conversations.map((one) => states(ladderOf(one)))).toEqual([
      ['SYN_SENT | ', 'CLOSED | '],
      ['SYN_SENT | ', 'CLOSED | '],
    ]);
  });

  it('draws whatever a capture may contain', () => {
    const scene = new Scene([4, 9]);
    scene.open();
    scene.client.write(Buffer.alloc(9_000));
    scene.run(1_000);
    scene.client.end();
    scene.run(1_000);
    const random = new Random(SEED);
    const packets = [...scene.packets()];
    for (let round = 0; round < 100; round++) {
      const changed = packets.flatMap((packet) => {
        const bytes = packet.bytes.slice(0, packet.bytes.length - (random.int(9) === 0 ? 7 : 0));
        // The TCP header: sequence numbers, flags, options. The checksum is nobody's concern here.
        bytes[24 + random.int(30)] = random.int(256);
        const one = { ...packet, bytes };
        return [[], [one], [one], [one, one]][random.int(4)]!;
      });
      for (const conversation of conversationsIn(changed)) {
        checkMermaid(renderMermaid(conversation));
        checkXml(renderSvg(conversation));
        expect(renderLadder(conversation)).not.toMatch(/undefined|NaN/);
      }
    }
  });

  it('leaves out what is no segment', () => {
    const packet = { time: 0n, direction: 0, comment: null };
    const garbage = [0, 1, 19, 20, 39, 40, 60].flatMap((length) =>
      [0x00, 0x45, 0x4f, 0xff].map((value) => {
        const bytes = new Uint8Array(length).fill(value);
        return { ...packet, bytes, originalLength: length };
      }),
    );
    expect(conversationsIn(garbage)).toEqual([]);
  });
});

describe('drawings', () => {
  it('escape what has a meaning to them', () => {
    const scene = new Scene();
    scene.open();
    const ladder = joined(scene);
    ladder.left.label = '</text><script>"&\'; end # %%\u0000';
    checkMermaid(renderMermaid(ladder));
    const svg = renderSvg(ladder, { title: ladder.left.label });
    checkXml(svg);
    expect(svg).not.toContain('<script');
    expect(svg).not.toContain('\u0000');
  });

  it('ask for nothing from outside', () => {
    const scene = new Scene();
    scene.open();
    const svg = renderSvg(scene.atClient);
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|url\(|@import|href/);
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});
