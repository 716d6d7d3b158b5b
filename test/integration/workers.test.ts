import { expect, it } from 'vitest';
import { describeInNamespace, runInNamespace } from './namespace.js';

async function resultOf(...args: string[]) {
  const { code, signal, stdout, stderr } = await runInNamespace('programs/workers.mjs', args);
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  return JSON.parse(stdout);
}

describeInNamespace('shards in worker threads', () => {
  it('share the connections of one host, and hand nothing over', async () => {
    const result = await resultOf('spread');
    const { seen, meanwhile, accepted } = result;
    expect(Object.keys(seen)).toEqual(['0', '1']);
    expect(seen[0] + seen[1]).toBe(40);
    expect(result.right).toBe(true);
    expect(meanwhile).toMatchObject([
      { out: 0, in: 0 },
      { out: 0, in: 0 },
    ]);
    expect(accepted[0] + accepted[1]).toBe(80);
    expect(result).toMatchObject({ tcpPassiveOpens: 80, metrics: '80', devices: ['lo'] });
    expect(result.listeners).toEqual([
      '19 on 0',
      '19 on 1',
      '5201 on 1',
      '7 on 0',
      '7 on 1',
      '9 on 0',
      '9 on 1',
    ]);
  });

  it('accept at whichever listens', async () => {
    const { one, rest, counters } = await resultOf('alone');
    expect(one).toEqual({ one: 40 });
    expect(rest).toEqual({ 1: 40 });
    expect(counters[0].accepted).toBe(0);
    expect(counters[0].out).toBe(counters[1].in);
    expect(counters[0].out).toBeGreaterThan(0);
  });

  it('find the connection of a packet that came to another queue', async () => {
    const result = await resultOf('rehashed');
    expect(result).toMatchObject({ ports: [1], out: [true], kept: [true], ended: ['ECONNRESET'] });
    expect(result.handedOver).toBeGreaterThan(0);
    expect(result.takenOver).toBeGreaterThanOrEqual(result.handedOver);
  });

  it('hand over ICMP errors', async () => {
    const result = await resultOf('errors');
    expect(result.unquoted).toBe(0);
    expect(result.handedOver).toBeGreaterThan(0);
  });

  it('lose the connections of one that is terminated, and no others', async () => {
    const { terminated, other, after } = await resultOf('terminated');
    // Now and then the kernel tells its client of a reset only that no more comes.
    expect(terminated).toContain('ECONNRESET');
    expect(terminated).not.toContain('whole');
    expect(other).toEqual(['whole']);
    expect(after).toEqual({ 1: 10 });
  });

  it('tell the peers of one that ends by itself', async () => {
    const { terminated, other, after } = await resultOf('terminated', 'by itself');
    expect(terminated).not.toContain('whole');
    expect(terminated).not.toEqual([]);
    expect(other).toEqual(['whole']);
    expect(after).toEqual({ 1: 10 });
  });

  it('reset what is open when they are closed, and leave no device', async () => {
    expect(await resultOf('closed')).toEqual({ exits: [0, 1, 'ECONNRESET'], devices: ['lo'] });
  });

  it('say why they cannot start, and leave no device', async () => {
    expect(await resultOf('fails')).toMatchObject({
      module: { message: 'no luck in shard 1' },
      address: { code: 'ERR_INVALID_ADDRESS' },
      workers: { code: 'ERR_OUT_OF_RANGE' },
      devices: ['lo'],
    });
  });
});
