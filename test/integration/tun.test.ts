import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { expect, it, vi } from 'vitest';
import { takesBigTcp } from '../../src/link/big-tcp.js';
import { describeInNamespace, type RunOptions, runInNamespace } from './namespace.js';

const isRoot = process.geteuid?.() === 0;

/** Runs a program that must end by itself without complaint; returns what it reports. */
async function reportOf(script: string, args: string[] = [], options?: RunOptions) {
  const { code, signal, stdout, stderr } = await runInNamespace(
    `programs/${script}`,
    args,
    options,
  );
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Whether there is such a process that is not a zombie. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const life = (name: string, args: string[] = [], options?: RunOptions) =>
  reportOf('life.mjs', [name, ...args], options);

describeInNamespace('a TUN device', () => {
  it.each(['offload', 'plain'])('carries packets both ways (%s)', async (mode) => {
    const offload = mode === 'offload';
    const [result] = await reportOf('udp.mjs', [mode]);
    expect(result).toMatchObject({
      offload,
      headroom: offload ? 10 : 0,
      mtu: 1400,
      kernel: { mtu: 1400, txQueueLength: 777, up: true },
      in: { length: 43, dst: '10.8.1.2', text: 'from the kernel', checksumLeft: offload },
      out: { text: 'from the link', from: '10.8.1.2:7777' },
      counters: { packetsOut: 1 },
    });
    expect(result.names).toHaveLength(1);
    expect(result.namesAfter).toEqual([]);
  });

  it('carries super-segments both ways', async () => {
    const [result] = await reportOf('tso.mjs');
    expect(result).toMatchObject({ offload: true, in: true, out: true });
    expect(result.largest.length).toBeGreaterThan(1500);
    expect(result.largest).toMatchObject({ segmentSize: 536, flags: 1 });
  });

  it('takes packets of more than 64 KiB, which the kernel cuts where they leave', async () => {
    const [result] = await reportOf('forwarded.mjs');
    expect(result).toMatchObject({ same: true, checksumErrors: 0 });
    if (takesBigTcp(release())) expect(result.meanPacket).toBeGreaterThan(65_535);
  });

  it('does not keep the process running', async () => {
    expect(await life('exits')).toEqual([['tun0']]);
  });

  it('keeps the process running after ref()', async () => {
    expect(await life('holds')).toEqual(['held']);
  });

  it('says what to do when it cannot be had, and leaves nothing behind', async () => {
    const [[busy, loopback, notTun, route, devices]] = await life('errors');
    expect(busy).toMatchObject({ code: 'EBUSY', errno: -16, syscall: 'TUNSETIFF' });
    expect(busy.message).toContain('tunx');
    expect(loopback).toMatchObject({ code: 'EINVAL', syscall: 'TUNSETIFF' });
    expect(notTun).toMatchObject({
      syscall: 'TUNGETIFF',
      message: expect.stringContaining('`fd`'),
    });
    expect(route).toMatchObject({ code: 'EEXIST', syscall: 'RTM_NEWROUTE' });
    expect(devices).toEqual(['lo', 'tunx']);
  });

  it('ends with an error when it is deleted', async () => {
    const [ended] = await life('deleted');
    expect(ended).toMatchObject({ code: 'EBADFD', message: expect.stringContaining('deleted') });
  });

  it('counts what it loses while it is down, and what the kernel refuses', async () => {
    const [counters] = await life('down');
    expect(counters).toMatchObject({ down: 1, refused: 1, packetsOut: 1, failed: 0 });
  });

  it('lets others have their turn while it looks for packets, and is closed meanwhile', async () => {
    const [arrived] = await life('busyPolls');
    expect(arrived).toBeGreaterThanOrEqual(20);
  });

  it('is collected when it is closed, or was never started and is forgotten', async () => {
    expect(await life('collected')).toEqual([6]);
  });

  it('goes on after a receiver that throws', async () => {
    expect(await life('throws')).toEqual([
      {
        seen: ['packet 0', 'tick after packet 0', 'packet 0', 'tick after packet 0'],
        caught: ['from the receiver'],
      },
    ]);
  });

  it('works in worker threads, several at once, and goes away with them', async () => {
    const [{ during, after }] = await life('workers');
    expect(during.sort()).toEqual(['lo', 'tunmain', 'tunw0', 'tunw1', 'tunw2']);
    expect(after).toEqual(['lo', 'tunmain']);
  });

  it.each(['offload', 'plain'])('is taken over from an inherited descriptor (%s)', async (mode) => {
    const [heir, parent] = await life('inherited', [mode]);
    expect(heir).toEqual({
      name: 'tun0',
      offload: mode === 'offload',
      mtu: 1500,
      text: 'packet 0',
    });
    expect(parent).toMatchObject({ status: 0, name: 'tun0' });
  });

  it('can be opened and closed many times', async () => {
    expect(await life('many')).toEqual([['lo']]);
  });

  it.runIf(isRoot)('is refused to an ordinary user, with the way out', async () => {
    const [[any, named]] = await life('nobody', [], { asNobody: true });
    for (const error of [any, named]) {
      expect(error).toMatchObject({ code: 'EPERM', errno: -1, syscall: 'TUNSETIFF' });
      expect(error.message).toMatch(
        /setcap cap_net_admin.*ip tuntap add.*unshare -Urn.*tuntcp run/,
      );
    }
  });

  it.runIf(isRoot)('that root made for an ordinary user can be used by that one', async () => {
    const setup = `
      ip tuntap add dev tunp mode tun user 65534
      ip addr add 10.7.0.1/24 dev tunp
      ip link set tunp mtu 1400 up
      ip tuntap add dev tunq mode tun user 65534`;
    const [result] = await life('nobodysDevice', [], { asNobody: true, setup });
    expect(result.mtu).toBe(1400);
    expect(result.denied).toMatchObject({ code: 'EPERM', syscall: 'RTM_NEWADDR' });
    expect(result.names).toEqual(['lo', 'tunp', 'tunq']);
  });

  it.runIf(isRoot)('that is persistent is left as it was found', async () => {
    const setup = 'ip tuntap add dev tunp mode tun; ip addr add 10.5.0.1/24 dev tunp';
    const [{ before, during, after }] = await life('restores', [], { setup });
    expect(during).toMatch(/mtu 1300.*qlen 50/);
    expect(during).toContain('inet 10.7.0.1/24');
    expect(during).toContain('10.8.0.0/16');
    expect(after).toBe(before);
  });
});

describeInNamespace('spawnInNamespace', () => {
  it('runs commands whose every packet reaches the link', async () => {
    const { code, stdout, stderr } = await runInNamespace('programs/spawn.mjs');
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      probe: true,
      ping: { code: 0, signal: null, offload: true, mtu: 1500 },
      plain: { code: 0, offload: false, mtu: 1400 },
      exit: { code: 7, out: `${result.pid}\n` },
      killed: { code: null, signal: 'SIGTERM' },
      missing: expect.stringContaining('no command no-such-command'),
      prepare: 'not ready',
      names: [],
      tuns: 0,
    });
  });

  it('passes signals on, and ends with the command', async () => {
    const { code, signal, stdout } = await runInNamespace('programs/ending.mjs', ['SIGTERM']);
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(JSON.parse(stdout.split('\n')[1]!)).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('ends the command when the process is killed', async () => {
    const { signal, stdout } = await runInNamespace('programs/ending.mjs', ['SIGKILL']);
    expect(signal).toBe('SIGKILL');
    await vi.waitUntil(() => !isRunning(Number(stdout)), { timeout: 10_000 });
  });

  it.runIf(isRoot)('needs no privileges', async () => {
    const { code, stdout, stderr } = await runInNamespace('programs/spawn.mjs', [], {
      asNobody: true,
    });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ ping: { code: 0 }, exit: { code: 7 }, tuns: 0 });
  });
});
