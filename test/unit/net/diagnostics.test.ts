import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { channelName } from '../../../src/net/diagnostics.js';
import type { Socket } from '../../../src/net/socket.js';
import { Stack } from '../../../src/net/stack.js';
import type { TraceEvent } from '../../../src/stack/trace-event.js';

describe('node:diagnostics_channel', () => {
  let stack: Stack;
  afterEach(() => stack.close());

  async function exchange(): Promise<void> {
    const server = stack.net.createServer((socket) => socket.end('bye')).listen(0);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const client: Socket = stack.net.connect(port, '127.0.0.1');
    client.resume();
    await once(client, 'close');
    server.close();
    await once(server, 'close');
  }

  it('publishes changes of state while somebody has subscribed', async () => {
    stack = new Stack();
    const heard: TraceEvent[] = [];
    const hear = (message: unknown) => void heard.push(message as TraceEvent);
    subscribe('tuntcp:connection:state', hear);
    await exchange();
    const states = heard.map((event) => (event.type === 'state' ? event.to : event.type));
    expect(states.slice(0, 4)).toEqual(['SYN_SENT', 'SYN_RECEIVED', 'ESTABLISHED', 'ESTABLISHED']);
    expect(states).toContain('TIME_WAIT');
    unsubscribe('tuntcp:connection:state', hear);
    const before = heard.length;
    await exchange();
    expect(heard).toHaveLength(before);
  });

  it('has a channel for each type of event', () => {
    expect(channelName('retransmission')).toBe('tuntcp:connection:retransmission');
    expect(channelName('dropped')).toBe('tuntcp:segment:dropped');
    expect(channelName('overflow')).toBe('tuntcp:listener:overflow');
    expect(channelName('cookie')).toBe('tuntcp:listener:cookie');
  });
});
