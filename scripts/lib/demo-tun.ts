import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from './demo-report.js';

const SERVER = '10.7.0.2';
const BYTES = 1_000_000;
const COMMAND_TIMEOUT = 30_000;
/** The first line that `tuntcp serve` writes, when it is ready. */
const READY = / is up: /;

interface Ran {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** `tuntcp serve --ladder`, and what it says line by line. */
class Server {
  readonly #child: ChildProcess;
  readonly lines: string[] = [];
  readonly exited: Promise<number | null>;
  #rest = '';

  constructor(root: string) {
    // A process group of its own, so that Ctrl-C in a terminal reaches it once, through us.
    this.#child = spawn(
      process.execPath,
      [path.join(root, 'dist/cli/main.js'), 'serve', '--ladder'],
      { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, NO_COLOR: '1' } },
    );
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    this.exited = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code) => resolve(code));
    });
  }

  async ready(): Promise<void> {
    const deadline = Date.now() + COMMAND_TIMEOUT;
    while (!this.lines.some((line) => READY.test(line))) {
      if (this.#child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`tuntcp serve did not get ready:\n${this.lines.join('\n')}${this.#rest}`);
      }
      await sleep(20);
    }
  }

  /** The lines since `from`, once no more have come for a moment. */
  async settled(from: number): Promise<string[]> {
    const deadline = Date.now() + 3_000;
    for (let seen = -1; seen !== this.lines.length && Date.now() < deadline; ) {
      seen = this.lines.length;
      await sleep(150);
    }
    return this.lines.slice(from).filter((line) => line.trim() !== '');
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #hear(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    this.lines.push(...lines);
  }
}

/** Lets curl, nc and ping talk to `tuntcp serve`; to be called in a network namespace of its own. */
export async function converseOverTun(
  report: Report,
  root: string,
  signal: AbortSignal,
): Promise<void> {
  const up = spawnSync('ip', ['link', 'set', 'lo', 'up'], { encoding: 'utf8' });
  if (up.status !== 0) throw new Error(`ip link set lo up: ${up.error?.message ?? up.stderr}`);
  const server = new Server(root);
  signal.addEventListener('abort', () => server.interrupt());
  try {
    await server.ready();
    const ladders = await new Conversation(report, server, signal).hold();
    if (signal.aborted) return;
    showStates(report, ladders);
    await stopServer(report, server);
  } finally {
    if (signal.aborted) await Promise.race([server.exited, sleep(3_000)]);
    server.kill();
  }
}

class Conversation {
  readonly #report: Report;
  readonly #server: Server;
  readonly #signal: AbortSignal;
  readonly #ladders: string[] = [];

  constructor(report: Report, server: Server, signal: AbortSignal) {
    this.#report = report;
    this.#server = server;
    this.#signal = signal;
  }

  /** Returns all ladders. */
  async hold(): Promise<string[]> {
    const url = `http://${SERVER}`;
    await this.#run('curl gets a page about its own connection', 'curl', ['-sS', `${url}/`], {
      judge: (ran) => expectText(ran, /^\s*state\s+ESTABLISHED/m),
    });
    let body: Buffer = Buffer.alloc(0);
    await this.#run(`curl downloads ${BYTES} bytes`, 'curl', ['-sS', `${url}/bytes/${BYTES}`], {
      show: (ran) => `${ran.stdout.length} bytes, SHA-256 ${sha256(ran.stdout)}\n${ran.stderr}`,
      judge: (ran) => {
        body = ran.stdout;
        return expectDigest(ran.stdout, String(sha256(expectedBytes())), 'of the bytes asked for');
      },
    });
    const post = ['-sS', '--data-binary', '@-', `${url}/sum`];
    await this.#run('curl uploads them, and the server has the same SHA-256', 'curl', post, {
      input: body,
      judge: (ran) => expectText(ran, new RegExp(`${BYTES}.*${sha256(body)}`, 's')),
    });
    await this.#run('nc gets its line back from echo and both close', 'nc', ncArguments('7'), {
      input: Buffer.from('hello, TypeScript\n'),
      judge: (ran) => expectText(ran, /^hello, TypeScript\n$/),
    });
    await this.#run('nc to a closed port is refused', 'nc', ['-v', '-w', '5', SERVER, '81'], {
      judge: (ran) => (/refused/i.test(ran.stderr) ? null : `refused, got: ${ran.stderr.trim()}`),
    });
    await this.#run('ping is answered', 'ping', ['-c', '3', '-i', '0.2', SERVER], {
      judge: (ran) => expectText(ran, /3 received/),
    });
    return this.#ladders;
  }

  async #run(
    name: string,
    command: string,
    args: readonly string[],
    options: {
      input?: Buffer;
      show?: (ran: Ran) => string;
      /** What was expected, when it did not come. */
      judge: (ran: Ran) => string | null;
    },
  ): Promise<void> {
    if (this.#signal.aborted) return;
    const from = this.#server.lines.length;
    const ran = await run(command, args, options.input, this.#signal);
    if (this.#signal.aborted) return;
    const ladder = await this.#server.settled(from);
    this.#ladders.push(...ladder);
    const problem = options.judge(ran);
    this.#report.step({
      name,
      command: `${options.input === undefined ? '' : `${describe(options.input)} | `}${[command, ...args].join(' ')}`,
      output: options.show?.(ran) ?? ran.stdout.toString() + ran.stderr,
      ladder,
      ok: problem === null,
      problem: problem === null ? null : `expected ${problem}`,
    });
  }
}

/** `-N` makes OpenBSD's nc send FIN at the end of its input; ncat does that by itself. */
function ncArguments(port: string): string[] {
  const help = spawnSync('nc', ['-h'], { encoding: 'utf8' });
  const openBsd = /OpenBSD|shutdown the network socket/i.test(help.stdout + help.stderr);
  return [...(openBsd ? ['-N'] : []), '-w', '10', SERVER, port];
}

function describe(input: Buffer): string {
  return input.length > 100 ? '(the same bytes)' : `echo '${input.toString().trim()}'`;
}

/** What `/bytes/N` is: byte i is i mod 251. */
function expectedBytes(): Buffer {
  return Buffer.from(Uint8Array.from({ length: BYTES }, (_, i) => i % 251));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function expectDigest(bytes: Buffer, expected: string, what: string): string | null {
  return sha256(bytes) === expected
    ? null
    : `SHA-256 ${expected} ${what}, got ${bytes.length} bytes`;
}

function expectText(ran: Ran, pattern: RegExp): string | null {
  if (ran.code !== 0) return `exit status 0, got ${ran.code}: ${ran.stderr.trim()}`;
  return pattern.test(ran.stdout.toString()) ? null : `output like ${pattern}`;
}

function run(
  command: string,
  args: readonly string[],
  input: Buffer | undefined,
  signal: AbortSignal,
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      signal,
      timeout: COMMAND_TIMEOUT,
      env: { ...process.env, LC_ALL: 'C', no_proxy: '*' },
    });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {}); // the command's exit status says enough
    child.stdin.end(input);
    child.on('error', (error) => {
      stderr += error.message;
    });
    child.on('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
  });
}

function showStates(report: Report, ladders: readonly string[]): void {
  const found = ladders.filter((line) => /\| (SYN_RECEIVED|ESTABLISHED)$/.test(line));
  report.step({
    name: 'the ladders show our side from SYN_RECEIVED to ESTABLISHED',
    command: "grep -E '(SYN_RECEIVED|ESTABLISHED)$' (in the ladders above)",
    output: '',
    ladder: found,
    ok: found.length > 1,
    problem: found.length > 1 ? null : 'no lines lead to SYN_RECEIVED and ESTABLISHED',
  });
}

async function stopServer(report: Report, server: Server): Promise<void> {
  const from = server.lines.length;
  server.interrupt();
  const code = await Promise.race([server.exited, sleep(10_000, 'still running' as const)]);
  const links = spawnSync('ip', ['-br', 'link'], { encoding: 'utf8' }).stdout;
  const alone = links.split('\n').every((line) => line === '' || line.startsWith('lo '));
  const problem =
    code === 0 ? (alone ? null : 'a device is left behind') : `exit status 0, got ${code}`;
  report.step({
    name: 'Ctrl-C ends the server with status 0 and leaves no device',
    command: 'kill -INT (the server); ip -br link',
    output: links,
    ladder: server.lines.slice(from),
    ok: problem === null,
    problem,
  });
}
