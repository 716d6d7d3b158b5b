import { systemRuntime } from '../../runtime/system.js';
import type { ConnectModule, ServiceSocket } from '../module.js';
import { Control } from './control.js';
import type { Summary } from './meter.js';
import { Meter, resultsOf } from './meter.js';
import type { TestParameters } from './protocol.js';
import {
  COOKIE_LENGTH,
  decodeResults,
  encodeParameters,
  encodeResults,
  Iperf3Error,
  makeCookie,
  State,
  serverErrorText,
  streamId,
} from './protocol.js';
import type { Report } from './report.js';
import { DataStream, Quota } from './stream.js';

/** ms that the server has for each step before and after the transfer. */
const PATIENCE = 30_000;
const MAX_RESULTS = 16 * 1024 * 1024;
/** ms between looks at how much has arrived, when an amount is wanted. */
const LOOK = 2;

export interface Iperf3Request {
  host: string;
  port: number;
  parameters: TestParameters;
  /** Seconds between reports; 0 for none. */
  interval: number;
  /** ms for each connection; 0 for what TCP itself waits. */
  connectTimeout: number;
  /** From {@link newCookie}. */
  cookie: Buffer;
  report: Report;
}

export function newCookie(): Buffer {
  return makeCookie(systemRuntime().random(COOKIE_LENGTH - 1));
}

/** A test as the client of an iperf3 server; {@link run} once. */
export class Iperf3Client {
  readonly #net: ConnectModule;
  readonly #request: Iperf3Request;
  #control: Control | null = null;
  #connecting: ServiceSocket | null = null;
  #streams: DataStream[] = [];
  #meter: Meter | null = null;
  #looker: NodeJS.Timeout | undefined;
  #over = false;
  #interruption: Error | null = null;

  constructor(net: ConnectModule, request: Iperf3Request) {
    this.#net = net;
    this.#request = request;
  }

  /**
   * Resolves when the server has told its results, which the report has got then.
   * @throws Iperf3Error when the server refuses or breaks the protocol; errors of sockets as they are
   */
  async run(): Promise<Summary> {
    try {
      const socket = await this.#connect();
      const control = new Control(socket);
      this.#control = control;
      socket.setNoDelay(true);
      socket.write(this.#request.cookie);
      return await this.#converse(control);
    } catch (error) {
      const { report } = this.#request;
      this.#meter?.stop();
      if (this.#meter !== null) report.ended(this.#meter.summary(null));
      this.#control?.abort();
      throw this.#interruption ?? error;
    } finally {
      this.#stop();
      for (const stream of this.#streams) stream.destroy();
    }
  }

  /** Tells the server, and makes {@link run} reject once the report has what there is. */
  interrupt(reason: Error = new Iperf3Error('interrupted: the server has been told')): void {
    this.#interruption = reason;
    this.#connecting?.destroy(reason);
    this.#control?.sendState(State.CLIENT_TERMINATE);
    this.#control?.abort(reason);
  }

  async #converse(control: Control): Promise<Summary> {
    const { parameters, report } = this.#request;
    let summary: Summary | null = null;
    let begun = false;
    for (;;) {
      const running = this.#meter !== null && !this.#over;
      control.patience(running ? Infinity : PATIENCE, 'the server');
      const state = await control.state().catch((error) => {
        throw begun ? error : refusalOf(error);
      });
      begun = true;
      switch (state) {
        case State.PARAM_EXCHANGE:
          control.sendJson(encodeParameters(parameters));
          break;
        case State.CREATE_STREAMS:
          await this.#createStreams();
          break;
        case State.TEST_START:
          break;
        case State.TEST_RUNNING:
          this.#start();
          break;
        case State.EXCHANGE_RESULTS:
          summary = await this.#exchange(control);
          break;
        case State.DISPLAY_RESULTS:
          if (summary === null) throw new Iperf3Error('the server has told no results');
          control.sendState(State.IPERF_DONE);
          control.close();
          report.ended(summary);
          return summary;
        default:
          throw await refusal(control, state);
      }
    }
  }

  /** Those on which we send come first. */
  async #createStreams(): Promise<void> {
    const { parallel, bidir, reverse, noDelay } = this.#request.parameters;
    if (this.#streams.length > 0) throw new Iperf3Error('the server wants streams twice');
    const wanted = bidir ? 2 * parallel : parallel;
    for (let i = 0; i < wanted; i++) {
      const socket = await this.#connect();
      if (noDelay) socket.setNoDelay(true);
      socket.write(this.#request.cookie);
      const sends = bidir ? i < parallel : !reverse;
      this.#streams.push(new DataStream(streamId(i), socket, sends));
    }
    this.#request.report.started(this.#streams);
  }

  #start(): void {
    const { parameters, interval, report } = this.#request;
    if (this.#streams.length === 0 || this.#meter !== null) {
      throw new Iperf3Error('the server starts out of order');
    }
    const { time, omit, length, bitrate, bytes, blocks } = parameters;
    const amount = bytes > 0 ? bytes : blocks * length;
    const meter = new Meter(this.#streams, {
      omit,
      time,
      interval,
      onInterval: (each) => report.interval(each),
      onOver: () => this.#end(),
    });
    this.#meter = meter;
    const sending = this.#streams.filter(({ sends }) => sends);
    const block = Buffer.alloc(sending.length > 0 ? length : 0);
    // What is sent before the counting begins is not of the amount.
    const quota = new Quota(omit > 0 ? 0 : amount);
    let busy = sending.length;
    const done = () => {
      if (--busy === 0) this.#end();
    };
    for (const stream of sending) stream.send({ block, quota, bitrate, done });
    if (amount > 0) {
      this.#looker = setInterval(() => {
        const most = Math.max(meter.bytes(true), meter.bytes(false));
        if (!meter.omitting && most >= amount) this.#end();
      }, LOOK);
    }
  }

  #end(): void {
    if (this.#over) return;
    this.#stop();
    this.#control?.sendState(State.TEST_END);
    this.#control?.patience(PATIENCE, 'the results of the server');
  }

  #stop(): void {
    this.#over = true;
    clearInterval(this.#looker);
    for (const stream of this.#streams) stream.stop();
    this.#meter?.stop();
  }

  async #exchange(control: Control): Promise<Summary> {
    if (this.#meter === null) throw new Iperf3Error('the server has results of no test');
    this.#stop();
    const own = this.#meter.summary(null);
    control.sendJson(encodeResults(resultsOf(own)));
    const remote = decodeResults(await control.json(MAX_RESULTS));
    return { ...own, remote };
  }

  #connect(): Promise<ServiceSocket> {
    const { host, port, connectTimeout } = this.#request;
    return new Promise((resolve, reject) => {
      const socket = this.#net.connect({ host, port, allowHalfOpen: false });
      this.#connecting = socket;
      let timer: NodeJS.Timeout | undefined;
      if (connectTimeout > 0) {
        const late = `connect ETIMEDOUT ${host}:${port}: no answer within ${connectTimeout} ms`;
        timer = setTimeout(() => socket.destroy(new Error(late)), connectTimeout);
      }
      socket.once('error', reject);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.on('error', () => socket.destroy());
        socket.off('error', reject);
        this.#connecting = null;
        resolve(socket);
      });
      socket.once('close', () => {
        clearTimeout(timer);
        reject(new Iperf3Error(`${host}:${port} has closed the connection`));
      });
    });
  }
}

/** iperf3 refuses with a state and closes with our cookie unread: the reset may undo what was received before it. */
function refusalOf(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ECONNRESET') return error;
  return new Iperf3Error(
    'the server refuses by a reset; it may be busy running a test; try again later',
  );
}

async function refusal(control: Control, state: number): Promise<Iperf3Error> {
  switch (state) {
    case State.ACCESS_DENIED:
      return new Iperf3Error('the server is busy running a test; try again later');
    case State.SERVER_TERMINATE:
      return new Iperf3Error('the server has terminated');
    case State.SERVER_ERROR: {
      const code = (await control.bytes(8)).readInt32BE(0);
      return new Iperf3Error(`the server refuses: ${serverErrorText(code)}`);
    }
    default:
      return new Iperf3Error(`state ${state} from the server is out of place; is it iperf3?`);
  }
}
