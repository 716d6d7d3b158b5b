import { Bbr } from './bbr.js';
import { Cubic } from './cubic.js';
import { Dctcp } from './dctcp.js';
import { NewReno } from './newreno.js';

/**
 * What a congestion control sees of its connection, and what of it it sets: the first four. Sizes are
 * bytes, times ms, rates bytes per ms.
 */
export interface CongestionState {
  /** Congestion window, a whole number; the control keeps it at one segment or more. */
  cwnd: number;
  /** Slow-start threshold; 0x7fffffff before the first sign of congestion. */
  ssthresh: number;
  /** At most so much is sent per ms; 0: all that the windows allow goes out at once. */
  pacingRate: number;
  /** Until {@link delivered} has reached this, rate samples say what the application sent rather than
   * what the path can carry; 0: they tell the path. */
  appLimited: number;
  /** Largest payload of one segment (SMSS, RFC 5681 §2). */
  readonly sndMss: number;
  /** Smoothed round-trip time; 0 before the first sample. */
  readonly srtt: number;
  /** Sent and not cumulatively acknowledged (FlightSize, RFC 5681 §2). */
  readonly flight: number;
  /** Probably in the network: without what was SACKed or is taken for lost (pipe, RFC 6675 §4). */
  readonly inFlight: number;
  /** All that the peer has acknowledged so far. */
  readonly bytesAcked: number;
  /** All that is known to have arrived so far: acknowledged, cumulatively or selectively. */
  readonly delivered: number;
  /** The window was in full use within the last round trip. */
  readonly cwndLimited: boolean;
  /** The peer echoes congestion marks (RFC 3168). */
  readonly ecnOk: boolean;
  /** Unpredictable and the connection's own, for a control that needs chance. */
  readonly iss: number;
}

/**
 * What one ACK says, which `delivery-rate.ts` measures. One object is filled for every ACK: take what
 * you need of it.
 */
export interface AckSample {
  /** Bytes that were acknowledged cumulatively. */
  readonly acked: number;
  /** Bytes that are now known to have arrived, in order or not, and were not before. */
  readonly ackedSacked: number;
  /** Bytes that are now taken for lost. */
  readonly newlyLost: number;
  /** Of `acked`, the bytes whose ACK echoes a congestion mark (RFC 3168). */
  readonly marked: number;
  /** {@link CongestionState.inFlight} before this ACK. */
  readonly priorInFlight: number;
  /** Round-trip time of what was sent last of all that has arrived now; -1: not known. */
  readonly rtt: number;
  /**
   * The rate at which the path has delivered since then; 0: not measured. What follows is of the same
   * segment: {@link CongestionState.delivered} when it was sent. (A round trip is over when this has
   * reached what `delivered` was at its start.)
   */
  readonly deliveryRate: number;
  readonly priorDelivered: number;
  /** Bytes that arrived from then to now, and bytes that were taken for lost. */
  readonly delivered: number;
  readonly lost: number;
  /** Bytes in the network when it was sent, its own counted. */
  readonly txInFlight: number;
  /** The application or the peer's window, not the network, set the rate. */
  readonly isAppLimited: boolean;
}

/** One segment, or several of a burst, taken for lost. One object is filled for all of them. */
export interface LossSample {
  /** Bytes of it. */
  readonly size: number;
  /** Bytes in the network when it was sent, and bytes lost from then to now, its own counted. */
  readonly txInFlight: number;
  readonly lost: number;
  readonly isAppLimited: boolean;
}

/**
 * A congestion control, one object per connection. It says how the window grows, how far it falls and
 * how fast segments follow each other; what is retransmitted is the business of `recovery.ts`. The
 * first three methods suffice: docs/congestion.md tells when each is called.
 *
 * No hook is called from within another, and none may call into the stack.
 */
export interface CongestionControl {
  readonly name: string;
  /**
   * `sample.ackedSacked` bytes arrived, outside of loss recovery and while the window was in full use
   * (RFC 7661): the ACKs that may let {@link CongestionState.cwnd} grow.
   */
  onAck(state: CongestionState, sample: AckSample, now: number): void;
  /**
   * A segment is lost: sets ssthresh, to which cwnd falls in the course of recovery. `flight` is what
   * was outstanding, no more than cwnd.
   */
  onLoss(state: CongestionState, flight: number, now: number): void;
  /** The retransmission timer expired for the first time for this segment: sets ssthresh; cwnd falls
   * to one segment beyond what is not lost. */
  onTimeout(state: CongestionState, flight: number, now: number): void;

  /** The first text is about to be sent, or the connection has chosen this control since; cwnd and srtt
   * are known. */
  init?(state: CongestionState, now: number): void;
  /** Every ACK of something new, in recovery too; before {@link onAck}. */
  onSample?(state: CongestionState, sample: AckSample, now: number): void;
  /** Each segment that is taken for lost, before the {@link onSample} of the same ACK. */
  onLost?(state: CongestionState, loss: LossSample): void;
  /** The peer echoes a mark, once per window: sets ssthresh, and cwnd follows at once. Without it a
   * mark is an {@link onLoss}. */
  onEcnEcho?(state: CongestionState, flight: number, now: number): void;
  /** What began with `onLoss` or `onTimeout` is repaired; cwnd is at ssthresh, or on its way there. */
  onRecovered?(state: CongestionState, now: number): void;
  /** The loss or timeout was none: cwnd and ssthresh have been set to what they were before. */
  onUndo?(state: CongestionState, now: number): void;
  /** Something is sent with nothing outstanding, because the application had paused: `idle` ms after
   * what was sent last. */
  onIdleRestart?(state: CongestionState, idle: number, now: number): void;
  /** What `ss -i` adds, as `bbr:(bw:..,mrtt:..)`, and what {@link ConnectionInfo} has; plain JSON. */
  info?(state: CongestionState): Readonly<Record<string, number | string>>;

  /** Why cwnd is what it is after an ACK, in words that end with the clause; for traces. */
  readonly why?: string;
  /** It sets {@link CongestionState.pacingRate}. */
  readonly paces?: boolean;
  /** Cwnd is its own in fast recovery as well. (A timeout leaves every control what is in flight and
   * a segment more.) */
  readonly ownsWindow?: boolean;
  /** It asks for ECN whatever the configuration says, as DCTCP has to. */
  readonly needsEcn?: boolean;
  /** Both ends echo exactly which segments were marked (RFC 8257 §3.2) rather than that some were. */
  readonly exactEcho?: boolean;
}

/** Makes a control for a connection that begins to send, and one that stands for it before. */
export type CongestionControlFactory = () => CongestionControl;

const factories = new Map<string, CongestionControlFactory>([
  ['newreno', () => new NewReno()],
  ['cubic', () => new Cubic()],
  ['bbr', () => new Bbr()],
  ['dctcp', () => new Dctcp()],
]);
const BUILT_IN = new Set(factories.keys());

export const DEFAULT_CONGESTION_CONTROL = 'cubic';

/**
 * Makes `name` one that `tcp: { congestionControl }` and `setCongestionControl()` know, for every
 * host of the process. A name registered again stands for the new factory from then on.
 * @throws TypeError (ERR_INVALID_ARG_VALUE, ERR_INVALID_ARG_TYPE) for a name that is empty or built
 * in, or a factory that is no function
 */
export function registerCongestionControl(name: string, factory: CongestionControlFactory): void {
  if (typeof name !== 'string' || name === '' || BUILT_IN.has(name)) {
    throw Object.assign(
      new TypeError(`The "name" of a congestion control must be new. Received '${String(name)}'`),
      { code: 'ERR_INVALID_ARG_VALUE' },
    );
  }
  if (typeof factory !== 'function') {
    throw Object.assign(new TypeError('The "factory" argument must be of type function'), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  }
  factories.set(name, factory);
  blanks.delete(name);
}

const blanks = new Map<string, CongestionControl>();

/**
 * What stands for a control of this name at all connections that have sent no text yet: it says of
 * which kind it is, and none of its hooks is ever called.
 */
export function blankCongestionControl(name: string): CongestionControl {
  let blank = blanks.get(name);
  if (blank === undefined) {
    blank = createCongestionControl(name);
    blanks.set(name, blank);
  }
  return blank;
}

/** Names that there are, the built-in ones first. */
export function congestionControlNames(): string[] {
  return [...factories.keys()];
}

/** @throws TypeError (ERR_INVALID_ARG_VALUE) when there is no congestion control of this name */
export function checkCongestionControl(name: string): void {
  if (factories.has(name)) return;
  const known = congestionControlNames().join(', ');
  throw Object.assign(
    new TypeError(`Unknown congestion control '${String(name)}': there are ${known}`),
    { code: 'ERR_INVALID_ARG_VALUE' },
  );
}

/**
 * RFC 9293 MAY-18: any of those that there are.
 * @param name one that {@link checkCongestionControl} accepts
 * @throws TypeError (ERR_INVALID_RETURN_VALUE) when a factory gives what is no congestion control
 */
export function createCongestionControl(name: string): CongestionControl {
  const control = factories.get(name)!();
  for (const hook of ['onAck', 'onLoss', 'onTimeout'] as const) {
    if (typeof control?.[hook] !== 'function') {
      throw Object.assign(new TypeError(`Congestion control '${name}' has no ${hook}()`), {
        code: 'ERR_INVALID_RETURN_VALUE',
      });
    }
  }
  return control;
}
