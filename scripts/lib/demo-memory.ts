import { createHash } from 'node:crypto';
import * as http from 'node:http';
import type * as net from 'node:net';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from './demo-report.js';

const CLIENT = '10.7.0.1';
const SERVER = '10.7.0.2';
const BYTES = 1_000_000;
const STEP_TIMEOUT = 10_000;

/** A host of the package; what the demonstration uses of it. */
interface Host {
  readonly net: Pick<typeof net, 'createServer' | 'connect'>;
  ping?(address: string): Promise<unknown>;
  close(): unknown;
}

/** The parts of the built package that the demonstration uses. */
interface Package {
  Stack: new (options: { link: unknown; address: string; trace?: unknown }) => Host;
  memoryPair(): [unknown, unknown];
  Recorder: new (options: {
    onLine: unknown;
    defer: (task: () => void) => void;
  }) => {
    flush(): void;
  };
  LadderPrinter: new (write: (text: string) => void) => { line: unknown; finish(): void };
  echo(net: Host['net']): net.Server;
  http(net: Host['net'], options: { recorder: unknown }): net.Server;
}

function load(root: string): Package {
  const parts = [
    'net/stack',
    'link/memory',
    'stack/recorder',
    'stack/ladder',
    'services/simple',
    'services/http',
  ];
  return Object.assign({}, ...parts.map((part) => require(path.join(root, 'dist', `${part}.js`))));
}

/** The conversation of the demonstration between two hosts over a link in memory. */
export async function converseInMemory(report: Report, root: string): Promise<void> {
  const { Stack, memoryPair, Recorder, LadderPrinter, ...services } = load(root);
  const ladder: string[] = [];
  const printer = new LadderPrinter((text) => ladder.push(...text.trimEnd().split('\n')));
  const recorder = new Recorder({ onLine: printer.line, defer: setImmediate });
  const [near, far] = memoryPair();
  const client = new Stack({ link: near, address: `${CLIENT}/24` });
  const server = new Stack({ link: far, address: `${SERVER}/24`, trace: recorder });
  const listening = [
    services.echo(server.net).listen(7),
    services.http(server.net, { recorder }).listen(80),
  ];
  const takeLadder = async (): Promise<string[]> => {
    await sleep(50); // lets the last acknowledgement of a close pass
    recorder.flush();
    printer.finish();
    return ladder.splice(0).filter((line) => line.trim() !== '');
  };
  const all: string[] = [];
  try {
    for (const step of stepsOf(client)) {
      const outcome = await Promise.race([
        step.run().catch((error: Error) => ({ output: '', problem: String(error) })),
        sleep(STEP_TIMEOUT, { output: '', problem: `nothing within ${STEP_TIMEOUT} ms` }),
      ]);
      const lines = await takeLadder();
      all.push(...lines);
      report.step({ ...step, ...outcome, ladder: lines, ok: outcome.problem === null });
    }
    const found = all.filter((line) => /\| (SYN_RECEIVED|ESTABLISHED)$/.test(line));
    report.step({
      name: 'the ladders show our side from SYN_RECEIVED to ESTABLISHED',
      command: "grep -E '(SYN_RECEIVED|ESTABLISHED)$' (in the ladders above)",
      output: '',
      ladder: found,
      ok: found.length > 1,
      problem: found.length > 1 ? null : 'no lines lead to SYN_RECEIVED and ESTABLISHED',
    });
  } finally {
    for (const one of listening) one.close();
    await Promise.all([client.close(), server.close()]);
  }
}

interface Outcome {
  output: string;
  problem: string | null;
}

interface MemoryStep {
  name: string;
  command: string;
  run(): Promise<Outcome>;
}

function stepsOf(client: Host): MemoryStep[] {
  const expected = Buffer.from(Uint8Array.from({ length: BYTES }, (_, i) => i % 251));
  const digest = createHash('sha256').update(expected).digest('hex');
  const steps: MemoryStep[] = [
    {
      name: 'an HTTP client gets a page about its own connection',
      command: `http.get('http://${SERVER}/')`,
      run: async () => {
        const page = String(await request(client, 'GET', '/'));
        const shown = /^\s*state\s+ESTABLISHED/m.test(page);
        return { output: page, problem: shown ? null : 'no state on the page' };
      },
    },
    {
      name: `it downloads ${BYTES} bytes`,
      command: `http.get('http://${SERVER}/bytes/${BYTES}')`,
      run: async () => {
        const body = await request(client, 'GET', `/bytes/${BYTES}`);
        const problem = expected.equals(body) ? null : 'other bytes than were asked for';
        return { output: `${body.length} bytes`, problem };
      },
    },
    {
      name: 'it uploads them, and the server has the same SHA-256',
      command: `http.request('http://${SERVER}/sum', { method: 'POST' })`,
      run: async () => {
        const output = String(await request(client, 'POST', '/sum', expected));
        return { output, problem: output.includes(digest) ? null : `expected ${digest}` };
      },
    },
    {
      name: 'a socket gets its line back from echo and both close',
      command: `net.connect(7, '${SERVER}').end('hello, TypeScript\\n')`,
      run: async () => {
        const output = await echo(client, 'hello, TypeScript\n');
        return { output, problem: output === 'hello, TypeScript\n' ? null : 'another line' };
      },
    },
    {
      name: 'a connection to a closed port is refused',
      command: `net.connect(81, '${SERVER}')`,
      run: async () => {
        const error = await echo(client, '', 81).then(() => null, String);
        const output = error ?? 'connected';
        return { output, problem: /ECONNREFUSED/.test(output) ? null : 'expected ECONNREFUSED' };
      },
    },
  ];
  const ping = client.ping?.bind(client);
  if (ping !== undefined) {
    steps.push({
      name: 'ping is answered',
      command: `stack.ping('${SERVER}')`,
      run: async () => ({ output: JSON.stringify(await ping(SERVER)), problem: null }),
    });
  }
  return steps;
}

function request(host: Host, method: string, url: string, body?: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const connect = () => host.net.connect(80, SERVER);
    // No agent: one would make its own connection, over the kernel.
    const options = { host: SERVER, path: url, method, createConnection: connect };
    const outgoing = http.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks)));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.setHeader('Connection', 'close');
    outgoing.end(body);
  });
}

function echo(host: Host, line: string, port = 7): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = host.net.connect(port, SERVER);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.end(line);
  });
}
