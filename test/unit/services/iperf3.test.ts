import { once } from 'node:events';
import net from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeParameters, decodeResults } from '../../../src/services/iperf3/protocol.js';
import { byteText, parseAmount, rateText } from '../../../src/services/iperf3/units.js';
import type { Iperf3Options, TestEnd, TestParameters } from '../../../src/services/iperf3.js';
import {
  Iperf3Client,
  Iperf3Error,
  Iperf3Server,
  JsonReport,
  newCookie,
  TextReport,
} from '../../../src/services/iperf3.js';
import { runs } from '../../support/seed.js';
import { serving } from './listen.js';

const DEFAULTS: TestParameters = {
  time: 0,
  omit: 0,
  bytes: 0,
  blocks: 0,
  length: 128 * 1024,
  parallel: 1,
  reverse: false,
  bidir: false,
  noDelay: false,
  bitrate: 0,
  congestion: null,
  serverOutput: false,
  title: null,
};
const MiB = 1024 * 1024;

interface Place {
  port: number;
  server: Iperf3Server;
  /** The ends of tests, in order; resolves when there are `count`. */
  ends: (count: number) => Promise<TestEnd[]>;
}

/** A server on the kernel's loopback. */
async function withServer<T>(
  use: (place: Place) => Promise<T>,
  options: Iperf3Options = {},
): Promise<T> {
  const seen: TestEnd[] = [];
  let wake = () => {};
  let server: Iperf3Server | null = null;
  const ends = async (count: number) => {
    while (seen.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return seen;
  };
  return serving(
    (module) => {
      const onTest = (end: TestEnd) => {
        seen.push(end);
        wake();
      };
      server = new Iperf3Server(module, { ...options, onTest });
      return server;
    },
    (port) => use({ port, server: server!, ends }),
  );
}

function makeClient(port: number, given: Partial<TestParameters>, interval = 1) {
  const parameters = { ...DEFAULTS, ...given };
  const lines: string[] = [];
  const text = new TextReport(parameters, { role: 'C', write: (line) => lines.push(line) });
  const context = { host: '127.0.0.1', port, version: 'x', time: 0, cookie: 'c' };
  const json = new JsonReport(parameters, context);
  const client = new Iperf3Client(net, {
    host: '127.0.0.1',
    port,
    parameters,
    interval,
    connectTimeout: 0,
    cookie: newCookie(),
    report: {
      started: (streams) => [text, json].forEach((each) => void each.started(streams)),
      interval: (each) => [text, json].forEach((report) => void report.interval(each)),
      ended: (summary) => [text, json].forEach((each) => void each.ended(summary)),
    },
  });
  return { client, lines, json };
}

interface JsonStream {
  socket: number;
  bytes: number;
  seconds: number;
  omitted: boolean;
  sender: boolean;
}
interface JsonOutput {
  start: { connected: { socket: number }[] };
  intervals: { streams: JsonStream[]; sum: JsonStream }[];
  end: Record<string, JsonStream> & { streams: { sender: JsonStream; receiver: JsonStream }[] };
  server_output_text?: string;
}

function outputOf(json: JsonReport): JsonOutput {
  return JSON.parse(JSON.stringify(json));
}

describe('a test', () => {
  it('towards the server moves the bytes that were asked for, and both ends say so', async () => {
    await withServer(async ({ port, server, ends }) => {
      const { client, json } = makeClient(port, { bytes: 5 * MiB + 7 });
      await client.run();
      const { end } = outputOf(json);
      expect(end.sum_sent).toMatchObject({ bytes: 5 * MiB + 7, sender: true });
      expect(end.sum_received).toMatchObject({ bytes: 5 * MiB + 7 });
      expect(end.streams[0]).not.toHaveProperty('sender.retransmits');
      const [seen] = await ends(1);
      expect(seen?.summary?.streams.map(({ bytes }) => bytes)).toEqual([5 * MiB + 7]);
      expect(server.counts).toEqual({ completed: 1, aborted: 0, busy: 0, rejected: 0 });
    });
  });

  it('counts in blocks when it is asked to', async () => {
    await withServer(async ({ port }) => {
      const { client, json } = makeClient(port, { blocks: 50, length: 1000 });
      await client.run();
      expect(outputOf(json).end.sum_received).toMatchObject({ bytes: 50_000 });
    });
  });

  it('from the server ends when enough has arrived', async () => {
    await withServer(async ({ port }) => {
      const { client, json } = makeClient(port, { bytes: MiB, reverse: true, noDelay: true });
      await client.run();
      const { end } = outputOf(json);
      expect(end.sum_received!.bytes).toBeGreaterThanOrEqual(MiB);
      expect(end.sum_sent!.bytes).toBeGreaterThanOrEqual(end.sum_received!.bytes);
      expect(end.sum_sent!.sender).toBe(false);
    });
  });

  it('both ways on several streams has those of the client first', async () => {
    await withServer(async ({ port }) => {
      const { client, json, lines } = makeClient(port, { bytes: MiB, parallel: 3, bidir: true });
      await client.run();
      const { start, end } = outputOf(json);
      expect(start.connected.map(({ socket }) => socket)).toEqual([1, 3, 4, 5, 6, 7]);
      expect(end.streams.map(({ sender }) => [sender.socket, sender.sender])).toEqual([
        [1, true],
        [3, true],
        [4, true],
        [5, false],
        [6, false],
        [7, false],
      ]);
      const most = Math.max(end.sum_sent!.bytes, end.sum_received_bidir_reverse!.bytes);
      expect(most).toBeGreaterThanOrEqual(MiB);
      expect(lines.filter((line) => /^\[SUM\]\[TX-C\].* sender$/.test(line))).toHaveLength(1);
      expect(lines.filter((line) => /^\[SUM\]\[RX-C\].* receiver$/.test(line))).toHaveLength(1);
    });
  });

  it('leaves out what was before the time to omit', async () => {
    await withServer(async ({ port }) => {
      const wanted = { time: 0.3, omit: 0.2, reverse: true, bitrate: 8_000_000, length: 1000 };
      const { client, json } = makeClient(port, wanted, 0.1);
      await client.run();
      const { intervals, end } = outputOf(json);
      const omitted = intervals.map(({ sum }) => sum.omitted);
      expect(omitted.slice(0, 2)).toEqual([true, true].slice(0, omitted.indexOf(false)));
      expect(omitted.at(-1)).toBe(false);
      const counted = intervals.filter(({ sum }) => !sum.omitted);
      expect(counted.reduce((sum, each) => sum + each.sum.bytes, 0)).toBe(end.sum_received!.bytes);
      expect(end.sum_received!.seconds).toBeLessThan(wanted.time + wanted.omit);
    });
  });

  it('brings the report of the server when it is wanted', async () => {
    await withServer(async ({ port }) => {
      const { client, json } = makeClient(port, { bytes: MiB, parallel: 2, serverOutput: true });
      const { remote } = await client.run();
      expect(outputOf(json).server_output_text).toBe(remote?.serverOutput);
      expect(remote?.serverOutput).toMatch(/^\[SUM\] .* receiver$/m);
    });
  });

  it('has its connections closed at both ends', async () => {
    await withServer(async ({ port, ends }) => {
      const { client } = makeClient(port, { bytes: MiB, bidir: true });
      const { streams } = await client.run();
      const [seen] = await ends(1);
      const sockets = [...streams, ...seen!.summary!.streams].map(({ stream }) => stream.socket);
      const open = sockets.filter(({ closed }) => !closed);
      await Promise.all(open.map((each) => new Promise((resolve) => each.on('close', resolve))));
    });
  });
});

/** A connection that speaks the protocol by hand. */
async function speak(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the server closes. */
async function rest(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function framed(text: string, length = Buffer.byteLength(text)): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, Buffer.from(text)]);
}

describe('the server', () => {
  it('is busy while a test is under way, and free again when its client is gone', async () => {
    await withServer(async ({ port, server, ends }) => {
      const first = await speak(port);
      first.write(newCookie());
      expect((await once(first, 'data'))[0]).toEqual(Buffer.of(9));
      await expect(makeClient(port, { bytes: 1 }).client.run()).rejects.toThrow(/busy/);
      first.destroy();
      const [seen] = await ends(1);
      expect(seen?.error).toBeInstanceOf(Error);
      await makeClient(port, { bytes: 1 }).client.run();
      await ends(2);
      expect(server.counts).toMatchObject({ aborted: 1, busy: 1, completed: 1 });
    });
  });

  it('closes what shows no cookie, without being busy by it', async () => {
    await withServer(async ({ port, server, ends }) => {
      const silent = await speak(port);
      const web = await speak(port);
      web.write(`GET / HTTP/1.1\r\nHost: ${'x'.repeat(40)}\r\n\r\n`);
      expect(await rest(web).catch(() => Buffer.alloc(0))).toHaveLength(0);
      const brief = await speak(port);
      brief.end('abc');
      expect(await rest(brief)).toHaveLength(0);
      await makeClient(port, { bytes: MiB }).client.run();
      await ends(1);
      expect(server.counts).toMatchObject({ rejected: 2, completed: 1 });
      silent.destroy();
    });
  });

  it.each([
    ['JSON of four gigabytes', framed('{', 0xffff_fff0), 114],
    ['what is no JSON', framed('{"tcp":'), 114],
    ['an array', framed('[]'), 114],
    ['UDP', framed('{"udp":true,"time":1,"parallel":1}'), 13],
    ['a thousand streams', framed('{"tcp":true,"time":1,"parallel":1000}'), 6],
    ['a gigabyte per block', framed('{"tcp":true,"time":1,"len":1073741824}'), 7],
    ['a test for years', framed('{"tcp":true,"time":100000000}'), 5],
  ])('refuses %s with a reason', async (_name, message, code) => {
    await withServer(async ({ port, ends }) => {
      const socket = await speak(port);
      socket.write(Buffer.concat([newCookie(), message]));
      const answer = await rest(socket);
      expect([...answer.subarray(0, 2)]).toEqual([9, 0xfe]);
      expect(answer.readInt32BE(2)).toBe(code);
      expect(answer).toHaveLength(10);
      const [seen] = await ends(1);
      expect(seen?.error).toMatchObject({ code });
      await makeClient(port, { bytes: 1 }).client.run();
    });
  });

  it('takes no stream with another cookie', async () => {
    await withServer(async ({ port, ends }) => {
      const control = await speak(port);
      control.write(Buffer.concat([newCookie(), framed('{"tcp":true,"time":1,"parallel":1}')]));
      const answer = (await once(control, 'data'))[0] as Buffer;
      if (answer.length < 2) await once(control, 'data');
      const stranger = await speak(port);
      stranger.write(newCookie());
      expect([...(await rest(stranger))]).toEqual([0xff]);
      control.write(Buffer.of(12));
      expect(await rest(control)).toHaveLength(0);
      expect((await ends(1))[0]?.error?.message).toMatch(/client has terminated/);
    });
  });

  it('gives up when the client vanishes in mid-transfer', async () => {
    await withServer(async ({ port, ends }) => {
      const wanted = { time: 60, reverse: true, parallel: 2 };
      const { client, lines } = makeClient(port, wanted, 0.1);
      const failed = expect(client.run()).rejects.toThrow(/interrupted/);
      while (!lines.some((line) => line.includes('sec'))) await new Promise(setImmediate);
      client.interrupt();
      await failed;
      expect((await ends(1))[0]?.error?.message).toMatch(/terminated|closed/);
      await makeClient(port, { bytes: MiB }).client.run();
    });
  });

  it.each([
    ['cookie', Buffer.alloc(0)],
    ['parameters', newCookie()],
    ['streams', Buffer.concat([newCookie(), framed('{"tcp":true,"time":1}')])],
  ])('does not wait for ever for %s', async (_what, message) => {
    const body = async ({ port, server }: Place) => {
      const socket = await speak(port);
      socket.write(message);
      await rest(socket).catch(() => {});
      await makeClient(port, { bytes: 1 }).client.run();
      expect(server.counts.rejected + server.counts.aborted).toBe(1);
    };
    await withServer(body, { patience: 100 });
  });

  it('does not keep itself busy with streams on which nothing moves', async () => {
    const body = async ({ port, ends }: Place) => {
      const cookie = newCookie();
      const control = await speak(port);
      control.write(Buffer.concat([cookie, framed('{"tcp":true,"time":0,"parallel":1}')]));
      let said = 0;
      while (said < 2) said += ((await once(control, 'data'))[0] as Buffer).length;
      const stream = await speak(port);
      stream.write(cookie);
      await rest(control).catch(() => {});
      expect((await ends(1))[0]?.error?.message).toMatch(/nothing has moved/);
      await rest(stream).catch(() => {});
    };
    await withServer(body, { stall: 50 });
  });

  it('tells the client when it is closed', async () => {
    await withServer(async ({ port, server, ends }) => {
      const { client, lines } = makeClient(port, { time: 60 }, 0.1);
      const failed = expect(client.run()).rejects.toThrow(/terminated|closed/);
      while (!lines.some((line) => line.includes('sec'))) await new Promise(setImmediate);
      server.close();
      await failed;
      expect((await ends(1))[0]?.error?.message).toMatch(/server is being closed/);
      expect(lines.at(-1)).toMatch(/receiver$/);
    });
  });
});

describe('the client', () => {
  it('does not take another service for iperf3', async () => {
    const echo = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as net.AddressInfo;
    await expect(makeClient(port, { bytes: 1 }).client.run()).rejects.toThrow(/is it iperf3/);
    echo.close();
  });

  it('can be interrupted while it connects', async () => {
    const parameters = { ...DEFAULTS, bytes: 1 };
    const client = new Iperf3Client(
      { connect: () => new net.Socket() },
      {
        ...{ host: 'nowhere', port: 1, parameters, interval: 0, connectTimeout: 0 },
        cookie: newCookie(),
        report: { started: () => {}, interval: () => {}, ended: () => {} },
      },
    );
    const failed = expect(client.run()).rejects.toThrow(/interrupted/);
    client.interrupt();
    await failed;
  });

  it('says who does not answer', async () => {
    const { client } = makeClient(1, { bytes: 1 });
    await expect(client.run()).rejects.toMatchObject({ code: 'ECONNREFUSED', port: 1 });
  });
});

describe('messages', () => {
  it('of any shape are taken or refused, and nothing else', () => {
    const decode = (call: (json: unknown) => unknown, json: unknown) => {
      try {
        call(json);
      } catch (error) {
        expect(error).toBeInstanceOf(Iperf3Error);
      }
    };
    const record = fc.record(
      { time: fc.anything(), parallel: fc.anything(), streams: fc.array(fc.anything()) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), record), (json) => {
        decode(decodeParameters, json);
        decode(decodeResults, json);
      }),
      runs(100),
    );
  });
});

describe('amounts', () => {
  it('are written with three digits that count', () => {
    expect(byteText(0)).toBe('0.00 Bytes');
    expect(byteText(10 * MiB)).toBe('10.0 MBytes');
    expect(byteText(905 * MiB)).toBe(' 905 MBytes');
    expect(rateText(9_420_000_000)).toBe('9.42 Gbits/sec');
    expect(rateText(9_420_000_000, 'm')).toBe('9420 Mbits/sec');
    expect(rateText(8 * 1024 * 1024, 'M')).toBe('1.00 MBytes/sec');
  });

  it('are read with prefixes', () => {
    expect(parseAmount('10M', 1024)).toBe(10 * MiB);
    expect(parseAmount('1.5k', 1000)).toBe(1500);
    expect(parseAmount('17', 1024)).toBe(17);
    expect(parseAmount('M', 1024)).toBeNull();
    expect(parseAmount('1e9', 1000)).toBeNull();
  });
});
