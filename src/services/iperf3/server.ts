import type { NetModule, ServiceServer, ServiceSocket } from '../module.js';
import { Control } from './control.js';
import type { Interval, Summary } from './meter.js';
import { Meter, resultsOf } from './meter.js';
import type { TestParameters } from './protocol.js';
import {
  COOKIE_LENGTH,
  decodeParameters,
  decodeResults,
  ErrorCode,
  encodeResults,
  Iperf3Error,
  isCookie,
  State,
  streamId,
} from './protocol.js';
import { TextReport } from './report.js';
import { DataStream, Quota } from './stream.js';

const PATIENCE = 10_000;
const STALL = 60_000;
/** ms that streams have to end after a test. */
const LINGER = 2_000;
/** ms between looks for bytes that TEST_END has overtaken, looks without any, and ms for all of it. */
const REST_PAUSE = 2;
const REST_TRIES = 100;
const REST_LIMIT = 2_000;
/** Connections that have not shown a cookie yet; more are turned away. */
const MAX_WAITING = 256;
const MAX_PARAMETERS = 64 * 1024;
const MAX_RESULTS = 1024 * 1024;
/** Characters of output kept for a client that asks for it. */
const MAX_OUTPUT = 256 * 1024;

/** How a test ended; `error` is null when it came to its end. */
export interface TestEnd {
  remoteAddress: string;
  remotePort: number;
  parameters: TestParameters | null;
  /** Null when the streams never started. */
  summary: Summary | null;
  error: Error | null;
}

export interface Iperf3Options {
  onTest?: ((end: TestEnd) => void) | undefined;
  /** ms that a client has for each step before and after the transfer. Default 10,000. */
  patience?: number;
  /** ms that a transfer may go on without a byte. Default 60,000. */
  stall?: number;
}

/** Connections and tests since the start. */
export interface Iperf3Counts {
  completed: number;
  /** Tests that did not come to their end. */
  aborted: number;
  /** Connections told to come back later, since a test was under way. */
  busy: number;
  /** Connections closed because they showed no cookie. */
  rejected: number;
}

/**
 * The server of iperf3 (port 5201): one test at a time; others are told that it is busy. TCP only.
 * Retransmissions and windows are those of `socket.info()`, so there are none on `node:net`.
 */
export class Iperf3Server implements ServiceServer {
  readonly counts: Iperf3Counts = { completed: 0, aborted: 0, busy: 0, rejected: 0 };
  readonly #server: ServiceServer;
  readonly #options: Iperf3Options;
  readonly #waiting = new Set<Control>();
  #accepted = 0;
  #test: ServerTest | null = null;

  constructor(net: NetModule, options: Iperf3Options = {}) {
    this.#options = options;
    this.#server = net.createServer({ allowHalfOpen: false }, (socket) => this.#accept(socket));
  }

  listen(port: number, listening?: () => void): this {
    this.#server.listen(port, listening);
    return this;
  }

  /** Takes no more connections, and tells the client of a test that it is over. */
  close(closed?: (error?: Error) => void): this {
    this.#server.close(closed);
    for (const each of this.#waiting) each.abort();
    this.#test?.terminate();
    return this;
  }

  address(): unknown {
    return this.#server.address();
  }

  on(event: 'error', listener: (error: Error) => void): this {
    this.#server.on(event, listener);
    return this;
  }

  #accept(socket: ServiceSocket): void {
    const order = this.#accepted++;
    socket.on('error', () => socket.destroy());
    if (this.#waiting.size >= MAX_WAITING) {
      this.counts.rejected++;
      socket.destroy();
      return;
    }
    const control = new Control(socket);
    this.#waiting.add(control);
    control.patience(this.#options.patience ?? PATIENCE, 'a cookie');
    control
      .bytes(COOKIE_LENGTH)
      .then((cookie) => {
        if (!isCookie(cookie)) throw new Iperf3Error('this is no cookie');
        this.#admit(control, cookie, order);
      })
      .catch(() => {
        this.counts.rejected++;
        control.abort();
      })
      .finally(() => this.#waiting.delete(control));
  }

  #admit(control: Control, cookie: Buffer, order: number): void {
    if (this.#test?.takes(cookie, control, order)) return;
    if (this.#test !== null) {
      this.counts.busy++;
      control.sendState(State.ACCESS_DENIED);
      control.close();
      return;
    }
    const test = new ServerTest(control, cookie, this.#options);
    this.#test = test;
    void test.run().then((end) => {
      this.#test = null;
      if (end.error === null) this.counts.completed++;
      else this.counts.aborted++;
      this.#options.onTest?.(end);
    });
  }
}

interface Admitted {
  control: Control;
  order: number;
}

/** One test, from the cookie of its control connection to its end. */
class ServerTest {
  readonly #control: Control;
  readonly #cookie: Buffer;
  readonly #patience: number;
  readonly #stall: number;
  readonly #admitted: Admitted[] = [];
  #missing = 0;
  #complete: () => void = () => {};
  #streams: DataStream[] = [];
  #meter: Meter | null = null;
  #output: string[] = [];
  #outputLength = 0;
  #stallTimer: NodeJS.Timeout | undefined;

  constructor(control: Control, cookie: Buffer, options: Iperf3Options) {
    this.#control = control;
    this.#cookie = cookie;
    this.#patience = options.patience ?? PATIENCE;
    this.#stall = options.stall ?? STALL;
  }

  /** True when this is a stream of the test. */
  takes(cookie: Buffer, control: Control, order: number): boolean {
    if (this.#missing === 0 || !cookie.equals(this.#cookie)) return false;
    control.patience(Infinity, '');
    this.#admitted.push({ control, order });
    if (--this.#missing === 0) this.#complete();
    return true;
  }

  terminate(): void {
    this.#control.sendState(State.SERVER_TERMINATE);
    this.#control.close();
    this.#control.abort(new Iperf3Error('the server is being closed'));
  }

  /** Never rejects. */
  async run(): Promise<TestEnd> {
    const { remoteAddress = '', remotePort = 0 } = this.#control.socket;
    const end: TestEnd = {
      remoteAddress,
      remotePort,
      parameters: null,
      summary: null,
      error: null,
    };
    try {
      end.parameters = await this.#negotiate();
      await this.#transfer(end.parameters);
      end.summary = await this.#exchange(end.parameters);
      this.#finish();
    } catch (error) {
      end.error = error as Error;
      this.#abort(end.error);
    }
    return end;
  }

  async #negotiate(): Promise<TestParameters> {
    const control = this.#control;
    control.socket.setNoDelay(true);
    control.patience(this.#patience, 'the parameters');
    control.sendState(State.PARAM_EXCHANGE);
    const json = await control.json(MAX_PARAMETERS).catch((error: Error) => {
      throw new Iperf3Error(error.message, ErrorCode.PARAMETERS);
    });
    return decodeParameters(json);
  }

  async #transfer(parameters: TestParameters): Promise<void> {
    const control = this.#control;
    const { parallel, bidir, time, omit } = parameters;
    this.#missing = bidir ? 2 * parallel : parallel;
    const complete = new Promise<null>((resolve) => {
      this.#complete = () => resolve(null);
    });
    control.patience(this.#patience, 'the streams');
    control.sendState(State.CREATE_STREAMS);
    const next = control.state();
    next.catch(() => {});
    const early = await Promise.race([complete, next]);
    this.#missing = 0;
    if (early !== null) throw unexpected(early);
    this.#openStreams(parameters);
    control.sendState(State.TEST_START);
    control.sendState(State.TEST_RUNNING);
    this.#start(parameters);
    control.patience(
      time > 0 ? (omit + time) * 1000 + this.#patience : Infinity,
      'the end of the test',
    );
    this.#watchForStall();
    const state = await next;
    if (state !== State.TEST_END) throw unexpected(state);
  }

  /** Streams on which the client sends come first. */
  #openStreams({ parallel, bidir, reverse, noDelay }: TestParameters): void {
    const inOrder = this.#admitted.sort((a, b) => a.order - b.order);
    this.#streams = inOrder.map(({ control }, index) => {
      const sends = bidir ? index >= parallel : reverse;
      if (noDelay) control.socket.setNoDelay(true);
      const stream = new DataStream(streamId(index), control.socket, sends);
      stream.begin(control.release());
      return stream;
    });
  }

  #start(parameters: TestParameters): void {
    const { time, omit, length, bitrate } = parameters;
    const write = (line: string) => this.#keep(line);
    const report = parameters.serverOutput
      ? new TextReport({ ...parameters, title: null }, { role: 'S', write })
      : null;
    report?.started(this.#streams);
    this.#meter = new Meter(this.#streams, {
      omit,
      time,
      interval: 1,
      onInterval: (interval: Interval) => report?.interval(interval),
      onOver: () => {},
    });
    const block = Buffer.alloc(this.#streams.some(({ sends }) => sends) ? length : 0);
    // The client says when it is enough.
    const quota = new Quota(0);
    for (const stream of this.#streams) {
      if (stream.sends) stream.send({ block, quota, bitrate, done: () => {} });
    }
  }

  async #exchange(parameters: TestParameters): Promise<Summary> {
    const control = this.#control;
    control.patience(this.#patience, 'the results');
    clearInterval(this.#stallTimer);
    await this.#receiveRest(parameters);
    const meter = this.#meter!;
    meter.stop();
    // The client reads whole blocks now, and learns from our FIN that there are none to come.
    for (const stream of this.#streams) if (stream.sends) stream.close();
    const own = meter.summary(null);
    control.sendState(State.EXCHANGE_RESULTS);
    const remote = decodeResults(await control.json(MAX_RESULTS));
    control.sendJson(encodeResults(resultsOf(own, this.#outputFor(parameters, own))));
    control.sendState(State.DISPLAY_RESULTS);
    const state = await control.state();
    if (state !== State.IPERF_DONE) throw unexpected(state);
    return { ...own, remote };
  }

  /** TEST_END may overtake the last bytes of an amount that was agreed on. */
  async #receiveRest({ bytes, blocks, length, omit, bidir, reverse }: TestParameters) {
    const amount = bytes || blocks * length;
    if (amount === 0 || omit > 0 || bidir || reverse) return;
    const meter = this.#meter!;
    const deadline = Date.now() + REST_LIMIT;
    let before = -1;
    for (let idle = 0; idle < REST_TRIES && Date.now() < deadline; idle++) {
      const received = meter.bytes(false);
      if (received >= amount) return;
      if (received > before) idle = 0;
      before = received;
      await new Promise((resolve) => setTimeout(resolve, REST_PAUSE));
    }
  }

  #outputFor(parameters: TestParameters, summary: Summary): string | null {
    if (!parameters.serverOutput) return null;
    const write = (line: string) => this.#keep(line);
    new TextReport({ ...parameters, title: null }, { role: 'S', write }).ended(summary);
    return `${this.#output.join('\n')}\n`;
  }

  #keep(line: string): void {
    if (this.#outputLength > MAX_OUTPUT) return;
    this.#outputLength += line.length;
    this.#output.push(this.#outputLength > MAX_OUTPUT ? '(more is not kept)' : line);
  }

  #watchForStall(): void {
    let before = -1;
    this.#stallTimer = setInterval(() => {
      const moved = this.#streams.reduce((sum, { bytes }) => sum + bytes, 0);
      if (moved === before) {
        this.#control.abort(new Iperf3Error(`nothing has moved for ${this.#stall / 1000} s`));
      }
      before = moved;
    }, this.#stall);
  }

  #finish(): void {
    this.#control.close();
    for (const stream of this.#streams) stream.close();
    const rest = [this.#control.socket, ...this.#streams.map(({ socket }) => socket)];
    setTimeout(() => {
      for (const socket of rest) socket.destroy();
    }, LINGER).unref();
  }

  #abort(error: Error): void {
    clearInterval(this.#stallTimer);
    this.#meter?.stop();
    const code = error instanceof Iperf3Error ? error.code : 0;
    if (code !== 0 && !this.#control.socket.destroyed) {
      this.#control.sendError(code);
      this.#control.close();
      setTimeout(() => this.#control.socket.destroy(), LINGER).unref();
    } else {
      this.#control.abort();
    }
    for (const stream of this.#streams) stream.destroy();
    for (const { control } of this.#admitted) control.socket.destroy();
  }
}

function unexpected(state: number): Iperf3Error {
  if (state === State.CLIENT_TERMINATE) return new Iperf3Error('the client has terminated');
  return new Iperf3Error(`state ${state} is out of place`);
}
