import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { finsDelivered, withEnd } from '../../../src/cli/orderly-close.js';
import { State } from '../../../src/tcp/state.js';

describe('withEnd', () => {
  it('ends accepted and connected sockets after what they have written', async () => {
    const ours = withEnd(net);
    const server = ours.net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.write('x'.repeat(1_000_000));
      socket.resume();
      ours.endAll();
    });
    server.listen(0);
    await once(server as net.Server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const client = net.connect({ port, host: '127.0.0.1' });
    let length = 0;
    for await (const chunk of client) length += chunk.length;
    expect(length).toBe(1_000_000);
    server.close();
  });
});

describe('finsDelivered', () => {
  it('waits for the ACK of each FIN, not for what the peer does then', async () => {
    const connections = [{ state: State.FIN_WAIT_1 }, { state: State.LAST_ACK }];
    let looks = 0;
    await finsDelivered({
      tcbs() {
        looks++;
        if (looks === 2) connections.pop();
        if (looks === 3) connections[0]!.state = State.FIN_WAIT_2;
        return connections;
      },
    });
    expect(looks).toBe(3);
  });
});
