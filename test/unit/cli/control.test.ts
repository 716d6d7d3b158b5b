import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ControlClient } from '../../../src/cli/control/client.js';
import { controlDirectory, networkId, socketPath } from '../../../src/cli/control/directory.js';
import { questionsTo } from '../../../src/cli/control/questions.js';
import { type ControlServer, startControlServer } from '../../../src/cli/control/server.js';
import { connectToStack, openControl, refuseSecond } from '../../../src/cli/control/stacks.js';
import type { SocketInfo } from '../../../src/stack/connection.js';
import { INFO } from '../../support/connection-info.js';

let root: string;
let env: NodeJS.ProcessEnv;
const cleanUp: (() => void)[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tuntcp-test-'));
  env = { XDG_RUNTIME_DIR: root };
});

afterEach(() => {
  for (const step of cleanUp.splice(0)) step();
  rmSync(root, { recursive: true, force: true });
});

function identity(device: string, network = networkId()) {
  return { identity: () => ({ device, pid: 42, network, address: '10.7.0.2' }) };
}

function later<T extends { close(): void }>(what: T): T {
  cleanUp.push(() => what.close());
  return what;
}

const open = async (device: string, network?: string) =>
  later(await openControl(env, device, identity(device, network)));

async function start(questions: Record<string, () => unknown>, stalled?: number) {
  const path = join(root, 'x.sock');
  const patience = stalled === undefined ? {} : { stalled };
  return later(await startControlServer(path, questions, patience));
}

/** Speaks to the server without a client's good manners. */
class Rude {
  readonly socket: net.Socket;
  text = '';
  readonly closed: Promise<void>;

  constructor({ path }: ControlServer) {
    this.socket = net.connect(path);
    this.socket.on('data', (chunk) => {
      this.text += chunk;
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    cleanUp.push(() => this.socket.destroy());
  }

  get answers(): unknown[] {
    return this.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  }
}

describe('a control socket', () => {
  it('can be opened by its owner alone, and is gone after close', async () => {
    const server = await open('tun7');
    expect(server.path).toBe(join(root, 'tuntcp', 'tun7.sock'));
    expect(statSync(server.path).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, 'tuntcp')).mode & 0o777).toBe(0o700);
    server.close();
    server.close();
    expect(existsSync(server.path)).toBe(false);
  });

  it('answers in order, errors too', async () => {
    const server = await start({
      identity: () => 'me',
      broken: () => {
        throw new Error('out of order');
      },
    });
    const rude = new Rude(server);
    rude.socket.write(
      '{"id":1,"ask":"identity"}\n{"id":2,"ask":"broken"}\n{"id":3,"ask":"toString"}\n{"id":4,',
    );
    rude.socket.end('"ask":"identity"}\n');
    await rude.closed;
    expect(rude.answers).toEqual([
      { id: 1, answer: 'me' },
      { id: 2, error: 'out of order' },
      { id: 3, error: "there is no 'toString' to ask for" },
      { id: 4, answer: 'me' },
    ]);
  });

  it.each([
    ['that is no JSON', 'GET / HTTP/1.1\r\n\r\n'],
    ['that is no request', '{"id":"1","ask":"identity"}\n'],
    ['that is null', 'null\n'],
    ['without end', '{"id":1,"ask":"'.padEnd(5_000, 'x')],
    ['of too great a length', `${'{"id":1,"ask":"'.padEnd(5_000, 'x')}"}\n`],
    ['of bytes at random', Buffer.from([0xff, 0, 0xfe, 10])],
  ])('cuts off a client with a line %s', async (_, line) => {
    const server = await start(identity('tun7'));
    const rude = new Rude(server);
    rude.socket.write(line);
    await rude.closed;
    expect(rude.answers).toEqual([{ id: null, error: expect.stringMatching(/^a request /) }]);
    const client = later(await ControlClient.connect(server.path));
    expect(await client.ask('identity')).toMatchObject({ device: 'tun7' });
  });

  it('cuts off a client that does not read, and meanwhile serves the others', async () => {
    const long = 'x'.repeat(8_000_000);
    let asked = 0;
    const questions = {
      ...identity('tun7'),
      sockets: () => {
        asked++;
        return long;
      },
    };
    const server = await start(questions, 20);
    const rude = new Rude(server);
    rude.socket.pause();
    rude.socket.write('{"id":1,"ask":"sockets"}\n'.repeat(1_000));
    const client = later(await ControlClient.connect(server.path));
    expect(await client.ask('identity')).toMatchObject({ device: 'tun7' });
    // Nothing but a write that fails tells one who does not read.
    const prod = setInterval(() => rude.socket.write('\n'), 2);
    await rude.closed;
    clearInterval(prod);
    expect(asked).toBe(1);
  });

  it('takes 16 clients at once', async () => {
    const server = await start(identity('tun7'));
    const clients: ControlClient[] = [];
    for (let i = 0; i < 16; i++) {
      const client = later(await ControlClient.connect(server.path));
      await client.ask('identity');
      clients.push(client);
    }
    await new Rude(server).closed;
    expect(await clients[15]!.ask('identity')).toMatchObject({ device: 'tun7' });
  });

  it('has a bound for its answers, and says how much is missing', () => {
    const sockets: SocketInfo[] = new Array(5_000).fill(INFO);
    const view = { connections: () => sockets, connectionCount: 5_000 };
    const untraced = { addTrace: () => {}, removeTrace: () => {} };
    const { sockets: ask } = questionsTo(
      { ...view, counters: { snapshot: () => ({}) as never }, metrics: () => '', ...untraced },
      identity('tun7').identity(),
    );
    const answer = ask();
    expect([answer.sockets.length, answer.omitted]).toEqual([4_096, 904]);
  });
});

describe('a control client', () => {
  it('says so when the stack ends, answers nonsense, or does not answer', async () => {
    const path = join(root, 'y.sock');
    let answer = (socket: net.Socket): unknown => socket.destroy();
    const server = later(net.createServer((socket) => socket.on('data', () => answer(socket))));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const ask = async () => {
      const client = later(await ControlClient.connect(path, 50));
      return client.ask('identity');
    };
    await expect(ask()).rejects.toThrow('the stack has ended, or cut us off');
    answer = (socket) => socket.write('hello\n');
    await expect(ask()).rejects.toThrow('what answers is no tuntcp');
    answer = () => {};
    await expect(ask()).rejects.toThrow('the stack does not answer');
    answer = (socket) => socket.write('{"id":null,"error":"go away"}\n');
    await expect(ask()).rejects.toThrow('go away');
  });
});

describe('the directory', () => {
  it('is in /tmp, with the number of the user, when XDG_RUNTIME_DIR is none of ours', () => {
    const own = `/tmp/tuntcp-${process.getuid?.()}`;
    for (const runtime of [undefined, 'relative', join(root, 'missing'), '']) {
      expect(controlDirectory(runtime === undefined ? {} : { XDG_RUNTIME_DIR: runtime })).toBe(own);
    }
  });

  it('is refused when others can reach into it', async () => {
    mkdirSync(join(root, 'tuntcp'));
    chmodSync(join(root, 'tuntcp'), 0o755);
    await expect(open('tun7')).rejects.toThrow(/is not a directory that you alone can open .*755/);
    expect(() => socketPath(`/${'x'.repeat(100)}`, 'tun7')).toThrow(/too long for a socket/);
  });

  it('loses the sockets at which nobody answers', async () => {
    const ended = await open('tun1');
    const alive = await open('tun2');
    // As one leaves it that had no time to remove it.
    renameSync(ended.path, join(root, 'tuntcp', 'tun3.sock'));
    ended.close();
    await expect(connectToStack(env, 'tun3')).rejects.toThrow(/no stack with the device tun3 runs/);
    const next = await open('tun3');
    expect(next.path).toBe(join(root, 'tuntcp', 'tun3.sock'));
    expect(existsSync(alive.path)).toBe(true);
    const client = later(await connectToStack(env, 'tun3'));
    expect(await client.ask('identity')).toMatchObject({ device: 'tun3' });
  });

  it('tells which stack to ask when several run, and what to do when none does', async () => {
    await expect(connectToStack(env, undefined)).rejects.toThrow(
      /^no stack runs under this user \(.*\): start one with tuntcp serve, or .*sudo/,
    );
    await open('tun1');
    later(await connectToStack(env, undefined));
    await open('tun2');
    await expect(connectToStack(env, undefined)).rejects.toThrow(
      'several stacks run; add --device and one of: tun1, tun2',
    );
    later(await connectToStack(env, 'tun2'));
  });
});

describe('two stacks with one device', () => {
  it('are one too many in the same network', async () => {
    await refuseSecond(env, 'tun7');
    await open('tun7');
    await expect(refuseSecond(env, 'tun7')).rejects.toThrow(
      'tun7 is served by process 42 already: end that one, or choose another --device',
    );
    await refuseSecond(env, 'tun8');
  });

  it('are fine in networks of their own', async () => {
    await open('tun7', 'elsewhere');
    await refuseSecond(env, 'tun7');
    const second = await open('tun7');
    expect(second.path).toBe(join(root, 'tuntcp', `tun7@${networkId()}.sock`));
    const client = later(await connectToStack(env, `tun7@${networkId()}`));
    expect(await client.ask('identity')).toMatchObject({ network: networkId() });
    await expect(refuseSecond(env, 'tun7')).rejects.toThrow(/^tun7 is served by process 42/);
  });
});
