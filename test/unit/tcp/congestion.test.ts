import { describe, expect, test } from 'vitest';
import { tcpConfig } from '../../../src/tcp/config.js';
import type { CongestionControl } from '../../../src/tcp/congestion.js';
import { congestionControlNames, registerCongestionControl } from '../../../src/tcp/congestion.js';
import {
  Conversation,
  type ConversationOptions,
  conversation,
} from '../../support/conversation.js';

/** Writes down which hooks are called. */
class Witness implements CongestionControl {
  readonly name = 'witness';
  readonly calls: string[] = [];
  acked = 0;
  delivered = 0;
  lost = 0;

  init(): void {
    this.calls.push('init');
  }

  onSample(_state: unknown, sample: { acked: number; ackedSacked: number }): void {
    this.calls.push('onSample');
    this.acked += sample.acked;
    this.delivered += sample.ackedSacked;
  }

  onAck(state: { cwnd: number }, sample: { ackedSacked: number }): void {
    this.calls.push('onAck');
    state.cwnd += sample.ackedSacked;
  }

  onLost(_state: unknown, loss: { size: number }): void {
    this.calls.push('onLost');
    this.lost += loss.size;
  }

  onLoss(state: { ssthresh: number }, flight: number): void {
    this.calls.push('onLoss');
    state.ssthresh = flight >> 1;
  }

  onTimeout(state: { ssthresh: number }, flight: number): void {
    this.calls.push('onTimeout');
    state.ssthresh = flight >> 1;
  }

  onRecovered(): void {
    this.calls.push('onRecovered');
  }

  onUndo(): void {
    this.calls.push('onUndo');
  }

  onIdleRestart(): void {
    this.calls.push('onIdleRestart');
  }

  info(): Record<string, number> {
    return { lost: this.lost };
  }
}

const witnesses: Witness[] = [];
registerCongestionControl('witness', () => {
  const witness = new Witness();
  witnesses.push(witness);
  return witness;
});

/** A conversation in which A's control is the witness, and what it has seen once the text is through. */
function witnessed(
  name: string,
  options: ConversationOptions,
  body: (witness: Witness, c: Conversation) => void,
): void {
  conversation(name, { ...options, tcpA: { congestionControl: 'witness' } }, (c) => {
    witnesses.length = 0;
    c.establish();
    c.userA.write(Buffer.alloc(40_000));
    c.run(30_000);
    expect(c.userB.received.length).toBe(40_000);
    // Before there was text to send, one stood for it, of which nobody asks anything.
    for (const idle of witnesses.slice(0, -1)) expect(idle.calls).toEqual([]);
    body(witnesses.at(-1)!, c);
  });
}

/** Without those in a row that are alike. */
function order(calls: readonly string[]): string[] {
  return calls.filter((call, i) => call !== calls[i - 1]);
}

describe('the hooks of a congestion control', () => {
  witnessed('a transfer without loss', {}, (witness) => {
    expect(new Set(witness.calls)).toEqual(new Set(['init', 'onSample', 'onAck']));
    expect(witness.calls[0]).toBe('init');
    expect(witness.acked).toBe(40_000);
    expect(witness.delivered).toBe(40_000);
  });

  witnessed('a segment is lost', { drop: [{ from: 'a', data: true, nth: 4 }] }, (witness, c) => {
    const calls = order(witness.calls);
    const loss = calls.indexOf('onLoss');
    expect(calls.slice(loss - 2, loss)).toEqual(['onLost', 'onSample']);
    expect(calls.indexOf('onRecovered')).toBeGreaterThan(loss);
    expect(witness.calls.filter((call) => call === 'onLoss').length).toBe(1);
    // Each byte arrives once, whatever way the peer says so.
    expect(witness.delivered).toBe(40_000);
    expect(c.userA.connection.info().congestionInfo).toEqual({ lost: witness.lost });
    expect(witness.lost).toBeGreaterThan(0);
  });

  witnessed(
    'everything is lost for a while',
    {
      onPacket: (() => {
        let count = 0;
        return () => (++count > 8 && count < 18 ? [] : 0);
      })(),
    },
    (witness) => {
      const calls = order(witness.calls);
      expect(calls).toContain('onTimeout');
      expect(calls.lastIndexOf('onRecovered')).toBeGreaterThan(calls.indexOf('onTimeout'));
      expect(witness.delivered).toBe(40_000);
    },
  );

  witnessed(
    'a segment is late, not lost',
    {
      onPacket: (() => {
        let count = 0;
        return () => (++count === 7 ? 9 : 0);
      })(),
    },
    (witness) => {
      expect(witness.calls.filter((call) => call === 'onLoss').length).toBe(
        witness.calls.filter((call) => call === 'onUndo').length,
      );
    },
  );

  witnessed('something is sent after a pause', {}, (witness, c) => {
    witness.calls.length = 0;
    c.run(1_000);
    c.userA.write('text');
    c.run(100);
    expect(order(witness.calls)).toEqual(['onIdleRestart', 'onSample']);
  });

  // MAY-18
  test('a connection may change its control while it sends', () => {
    const c = new Conversation({ tcpA: { congestionControl: 'newreno' } });
    c.establish();
    c.userA.write(Buffer.alloc(20_000));
    c.run(5);
    witnesses.length = 0;
    c.userA.connection.setCongestionControl('witness');
    expect(c.userA.connection.info().congestionControl).toBe('witness');
    expect(c.userB.connection.info().congestionControl).toBe('cubic');
    c.run(1_000);
    expect(witnesses[0]!.calls[0]).toBe('init');
    expect(c.userB.received.length).toBe(20_000);
    expect(() => c.userA.connection.setCongestionControl('hybla')).toThrowError(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });
});

describe('registerCongestionControl', () => {
  test('three methods are enough', () => {
    const three: CongestionControl = {
      name: 'three',
      onAck: (state, sample) => {
        state.cwnd += sample.ackedSacked;
      },
      onLoss: (state, flight) => {
        state.ssthresh = flight >> 1;
      },
      onTimeout(state, flight, now) {
        this.onLoss(state, flight, now);
      },
    };
    registerCongestionControl('three', () => three);
    expect(tcpConfig({ congestionControl: 'three' }).congestionControl).toBe('three');
    expect(congestionControlNames()).toEqual(expect.arrayContaining(['cubic', 'three']));
    let count = 0;
    const c = new Conversation({
      tcp: { congestionControl: 'three', ecn: 'on' },
      onPacket: () => (++count % 30 === 0 ? [] : 0),
    });
    c.listen();
    c.connect();
    c.userB.endsWithPeer = true;
    c.userA.write(Buffer.alloc(200_000));
    c.userA.end();
    c.finish();
    expect(c.userB.received.length).toBe(200_000);
  });

  test.each([
    ['', () => new Witness(), 'ERR_INVALID_ARG_VALUE'],
    ['cubic', () => new Witness(), 'ERR_INVALID_ARG_VALUE'],
    ['other', null, 'ERR_INVALID_ARG_TYPE'],
  ])('%j with %s is refused with %s', (name, factory, code) => {
    expect(() => registerCongestionControl(name, factory as never)).toThrowError(
      expect.objectContaining({ name: 'TypeError', code }),
    );
  });

  test('a factory that gives none fails where a connection is made', () => {
    registerCongestionControl('broken', () => ({ name: 'broken' }) as never);
    const c = new Conversation({ tcpA: { congestionControl: 'broken' } });
    expect(() => c.connect()).toThrowError(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_RETURN_VALUE' }),
    );
  });
});
