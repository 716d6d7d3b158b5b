import type { MessagePort } from 'node:worker_threads';
import { type Outlet, type Streaming, StreamSource } from './stream.js';

/** Items that may be on their way between two threads, of 256 KiB at most each. */
const WINDOW = 16;

/** What the thread of the source says. */
type Upward =
  | { kind: 'item'; value: unknown; count: number }
  | { kind: 'lost'; count: number }
  | { kind: 'error'; message: string; code: string | undefined }
  /** Nothing follows. */
  | { kind: 'ended' };

/** What the thread of the client says: an item has been taken, or there is enough. */
type Downward = 'taken' | 'stop';

/** Sends what a source has to another thread, where {@link mergedSource} takes it, until that has enough. */
export function relay(port: MessagePort, make: () => StreamSource): void {
  const outlet = new PortOutlet(port);
  try {
    outlet.begin(make());
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    outlet.say({ kind: 'error', message, code });
    port.close();
  }
}

class PortOutlet implements Outlet {
  #underway = 0;
  #streaming: Streaming | null = null;
  #ended = false;

  constructor(private readonly port: MessagePort) {}

  begin(source: StreamSource): void {
    this.#streaming = source.start(this);
    this.port.on('message', (message: Downward) => {
      if (message === 'stop') this.end();
      else if (this.#underway-- === WINDOW) this.#streaming?.drained?.();
    });
    // Whoever watches does not keep the thread running.
    this.port.unref();
    if (this.#ended) this.#finish();
  }

  get room(): boolean {
    return this.#underway < WINDOW;
  }

  item(value: unknown, count = 1): boolean {
    if (!this.room) {
      this.lose(count);
      return false;
    }
    this.#underway++;
    // A clone of a view would have all of the buffer below.
    this.say({ kind: 'item', value: value instanceof Uint8Array ? value.slice() : value, count });
    return true;
  }

  lose(count: number): void {
    this.say({ kind: 'lost', count });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#streaming !== null) this.#finish();
  }

  say(message: Upward): void {
    this.port.postMessage(message);
  }

  #finish(): void {
    this.#streaming?.stop();
    this.say({ kind: 'ended' });
  }
}

export interface Merging<T> {
  /** Comes first. */
  header: unknown;
  /** The stream ends after so many of what items count. */
  limit: number;
  /** The first `count` of what an item has. */
  cut(value: T, count: number): T;
  /** What is told in the end, after so many. */
  done(count: number): unknown;
}

/** What several threads {@link relay}, as one stream; `open` gives the ways to them. */
export function mergedSource<T>(open: () => MessagePort[], merging: Merging<T>): StreamSource {
  return new StreamSource((outlet) => {
    outlet.item(merging.header, 0);
    return new Merged(outlet, open(), merging);
  });
}

class Merged<T> implements Streaming {
  #count = 0;
  #running: number;
  #failure: Error | null = null;
  #stopped = false;

  constructor(
    private readonly outlet: Outlet,
    private readonly ports: readonly MessagePort[],
    private readonly merging: Merging<T>,
  ) {
    this.#running = ports.length;
    for (const port of ports) {
      port.on('message', (message: Upward) => this.#hear(port, message));
      // The thread has ended.
      port.once('close', () => this.#leave());
    }
  }

  stop(): unknown {
    this.#stopped = true;
    for (const port of this.ports) tell(port, 'stop');
    if (this.#failure !== null) throw this.#failure;
    return this.merging.done(this.#count);
  }

  #hear(port: MessagePort, message: Upward): void {
    switch (message.kind) {
      case 'ended':
        port.close();
        return;
      case 'error':
        this.#failure = Object.assign(new Error(message.message), { code: message.code });
        if (!this.#stopped) this.outlet.end();
        return;
      case 'lost':
        if (!this.#stopped) this.outlet.lose(message.count);
        return;
      case 'item':
        tell(port, 'taken');
        if (!this.#stopped) this.#pass(message.value as T, message.count);
    }
  }

  #pass(value: T, count: number): void {
    // Each source has a header of its own.
    if (count === 0) return;
    const { limit, cut } = this.merging;
    const wanted = Math.min(count, limit - this.#count);
    const item = wanted < count ? cut(value, wanted) : value;
    if (this.outlet.item(item, wanted)) this.#count += wanted;
    if (this.#count === limit) this.outlet.end();
  }

  #leave(): void {
    if (--this.#running === 0 && !this.#stopped) this.outlet.end();
  }
}

function tell(port: MessagePort, message: Downward): void {
  port.postMessage(message);
}
