import type { LookupAddress } from 'node:dns';
import dns from 'node:dns';
import { describe } from 'vitest';
import { both, freePort, serve, show, turns, until } from './both.js';

const EVENTS =
  'lookup connectionAttempt connectionAttemptFailed connectionAttemptTimeout connect ready close error';

type Answer = [error: Error | null, address?: unknown, family?: unknown];

const four = (address: string): LookupAddress => ({ address, family: 4 });
const noSuchName = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });

/** What a lookup may answer. */
const ANSWERS: Record<string, Answer> = {
  'an address': [null, '127.0.0.1', 4],
  'an address without a family': [null, '127.0.0.1'],
  'an address of another family': [null, '127.0.0.1', 7],
  'no address': [null, 'nonsense', 4],
  undefined: [null, undefined, 4],
  'an error': [noSuchName],
  'a list of one': [null, [four('127.0.0.1')]],
  'a list of two': [null, [four('127.0.0.1'), four('127.0.0.2')]],
  'a list with the same twice': [null, [four('127.0.0.1'), four('127.0.0.1')]],
  'a list with nonsense in it': [null, [{ address: 'x', family: 4 }, four('127.0.0.1')]],
  'a list of nonsense': [null, [{ address: 'x', family: 4 }]],
  'a list of another family': [null, [{ address: '127.0.0.1', family: 9 }]],
};

/** How it is asked. */
const QUESTIONS: Record<string, object> = {
  'for any family': {},
  'for IPv4': { family: 4 },
  "for 'IPv4'": { family: 'IPv4' },
  'without autoSelectFamily': { autoSelectFamily: false },
  'with autoSelectFamily': { autoSelectFamily: true },
  'from a local address': { localAddress: '127.0.0.1' },
  'with hints': { family: 4, hints: 1 },
};

for (const [question, options] of Object.entries(QUESTIONS)) {
  describe(`a lookup ${question}`, () => {
    for (const [answer, values] of Object.entries(ANSWERS)) {
      // Node would not catch an answer that its own question rules out.
      const isList = Array.isArray(values[1]);
      const asksOne = /IPv4|without|local|hints/.test(question);
      if (values[0] === null && isList === asksOne) continue;
      both(`answered with ${answer}`, async (net, log) => {
        const { server, port } = await serve(net, (socket) => socket.end());
        const client = net.connect({
          port,
          host: 'name.test',
          lookup: (host: string, asked: object, callback: (...answer: Answer) => void) => {
            log.note(`asked for ${host} ${JSON.stringify(asked)}`);
            setImmediate(() => callback(...values));
          },
          ...options,
        } as never);
        log.watch('client', client, EVENTS);
        client.resume();
        await until(client, 'close');
        server.close();
      });
    }
  });
}

describe('several addresses', () => {
  const lookup = (...addresses: LookupAddress[]) =>
    ((_host: string, _options: object, callback: (error: null, all: LookupAddress[]) => void) =>
      setImmediate(() => callback(null, addresses))) as never;

  both('the second takes the connection', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end());
    const client = net.connect({
      port,
      host: 'name.test',
      lookup: lookup(four('127.0.0.9'), four('127.0.0.1')),
    });
    log.watch('client', client, EVENTS);
    client.resume();
    await until(client, 'close');
    log.note(show(client.autoSelectFamilyAttemptedAddresses?.join()));
    server.close();
  });

  both('none takes the connection', async (net, log) => {
    const port = await freePort(net);
    const client = net.connect({
      port,
      host: 'name.test',
      lookup: lookup(four('127.0.0.1'), four('127.0.0.2'), four('127.0.0.3')),
    });
    log.watch('client', client, EVENTS);
    client.on('error', (error: AggregateError & { code?: string }) => {
      log.note(`${error.constructor === AggregateError} ${error.code} ${Object.keys(error)}`);
      for (const each of error.errors) log.note(show(each));
    });
    client.write('x', (error) => log.note(`write ${show(error)}`));
    await until(client, 'close');
    log.note(`${client.autoSelectFamilyAttemptedAddresses?.length}`);
  });

  both('with a local port that is taken', async (net, log) => {
    const { server, port } = await serve(net, () => {});
    const client = net.connect({
      port,
      localPort: port,
      host: 'name.test',
      lookup: lookup(four('127.0.0.1'), four('127.0.0.2')),
    });
    log.watch('client', client, EVENTS);
    client.on('error', (error: AggregateError) => {
      for (const each of error.errors ?? []) log.note(show(each));
    });
    await until(client, 'close');
    server.close();
  });

  both('destroyed between two attempts', async (net, log) => {
    const port = await freePort(net);
    const client = net.connect({
      port,
      host: 'name.test',
      lookup: lookup(four('127.0.0.1'), four('127.0.0.2')),
    });
    log.watch('client', client, EVENTS);
    client.on('connectionAttemptFailed', () => client.destroy());
    await until(client, 'close');
  });

  both('destroyed in lookup', async (net, log) => {
    const client = net.connect({
      port: 1,
      host: 'name.test',
      lookup: lookup(four('127.0.0.1'), four('127.0.0.2')),
    });
    client.on('lookup', () => client.destroy());
    log.watch('client', client, EVENTS);
    await until(client, 'close');
  });
});

describe('a dns.lookup that a program has replaced', () => {
  /** Runs `task` while names are looked up by `answer`, whoever asks. */
  async function replaced(answer: typeof dns.lookup, task: () => Promise<void>): Promise<void> {
    const original = dns.lookup;
    dns.lookup = answer;
    try {
      await task();
    } finally {
      dns.lookup = original;
    }
  }

  both('for connect', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end());
    const answer = (host: string, _options: object, callback: (...answer: unknown[]) => void) => {
      log.note(`asked for ${host}`);
      setImmediate(() => callback(null, '127.0.0.1', 4));
    };
    await replaced(answer as never, async () => {
      const client = net.connect({ port, host: 'name.test', family: 4 });
      log.watch('client', client, EVENTS);
      client.resume();
      await until(client, 'close');
    });
    server.close();
  });
});

describe('addresses', () => {
  const REMOTE = ['127.0.0.1', '127.9.9.9', '0.0.0.0', 'localhost'];
  for (const host of REMOTE) {
    both(`to ${host}`, async (net, log) => {
      let from = '';
      const server = net.createServer((socket) => {
        from = `from ${socket.remoteAddress} to ${socket.localAddress}`;
        socket.end();
      });
      server.listen(0, '0.0.0.0');
      await until(server, 'listening');
      const { port } = server.address() as { port: number };
      const client = net.connect({ port, host, family: 4 });
      client.resume();
      await until(client, 'connect');
      log.note(`${client.localAddress} ${client.remoteAddress} ${client.remoteFamily}`);
      await until(client, 'close');
      log.note(from);
      server.close();
    });
  }

  const LOCAL: Record<string, object> = {
    'an address of ours': { localAddress: '127.0.0.3' },
    'an address of somebody else': { localAddress: '192.0.2.7' },
    'any address': { localAddress: '0.0.0.0' },
    'an IPv6 address, to IPv4': { localAddress: '::1' },
    'a port of 0': { localPort: 0 },
  };
  for (const [title, options] of Object.entries(LOCAL)) {
    both(`from ${title}`, async (net, log) => {
      let from = '';
      const { server, port } = await serve(net, (socket) => {
        from = `from ${socket.remoteAddress}`;
        socket.end();
      });
      const client = net.connect({ port, host: '127.0.0.1', ...options });
      client.resume();
      log.watch('client', client, EVENTS);
      await until(client, 'close');
      log.note(from);
      server.close();
    });
  }

  both('from a port that a server has', async (net, log) => {
    const { server, port } = await serve(net, () => {});
    const client = net.connect({ port: 1, host: '127.0.0.1', localPort: port });
    log.watch('client', client, EVENTS);
    await until(client, 'close');
    server.close();
  });

  both('refused, from a local end of our choice', async (net, log) => {
    const port = await freePort(net);
    const client = net.connect({
      port,
      host: '127.0.0.1',
      localAddress: '127.0.0.1',
      localPort: 41_999,
    });
    client.on('error', (error) => {
      const { localAddress, localPort } = error as unknown as Record<string, unknown>;
      log.note(`${show(error)} ${localAddress} ${localPort}`);
    });
    await until(client, 'close');
  });

  both('before and while it connects', async (net, log) => {
    const { server, port } = await serve(net, (socket) => socket.end());
    const client = net.connect({ port, host: '127.0.0.1' });
    const names = () => Object.keys(client.address()).length + Number(client.localPort ?? 0);
    log.note(`${names()}`);
    client.on('connectionAttempt', () => log.note(`attempt ${names()}`));
    await until(client, 'connect');
    log.note(`${names() > 3}`);
    client.resume();
    await until(client, 'close');
    server.close();
    await turns();
  });
});
