import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** An answer of the agent: what a call returned, and what else it said. */
export interface AgentAnswer {
  readonly value: number;
  readonly word: string | null;
}

/**
 * Compiles the agent, which goes away with this process.
 * @param source path of `syscall-agent.c`
 * @throws Error when there is no C compiler, with what to do
 */
export function compileAgent(source: string): string {
  const program = join(mkdtempSync(join(tmpdir(), 'tuntcp-agent-')), 'syscall-agent');
  process.on('exit', () => rmSync(dirname(program), { recursive: true, force: true }));
  try {
    execFileSync('cc', ['-O2', '-o', program, source], { stdio: 'pipe' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code === 'ENOENT' ? 'there is no C compiler; install gcc' : message);
  }
  return program;
}

interface Waiting {
  resolve(answer: AgentAnswer): void;
  reject(error: Error): void;
}

/** The process that makes system calls in the namespace of the scripts. */
export class SyscallAgent {
  /** Resolves when the namespace is set up; rejects with the agent's complaint. */
  readonly ready: Promise<AgentAnswer>;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, Waiting>();
  #next = 1;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.ready = this.#answerTo('ready');
    let complaint = '';
    child.stderr?.on('data', (text) => {
      complaint += text;
    });
    child.stdin!.on('error', () => {});
    createInterface({ input: child.stdout! }).on('line', (line) => this.#heard(line));
    child.once('exit', (code) => {
      const error = new Error(`the syscall agent ended with ${code}: ${complaint}`);
      for (const { reject } of this.#waiting.values()) reject(error);
    });
  }

  call(name: string, ...args: (string | number)[]): Promise<AgentAnswer> {
    const id = String(this.#next++);
    this.#child.stdin!.write(`${id} ${name} ${args.join(' ')}\n`);
    return this.#answerTo(id);
  }

  #answerTo(id: string): Promise<AgentAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }

  /** Ends the process, and with it the namespace. */
  close(): void {
    this.#child.stdin!.end();
  }

  #heard(line: string): void {
    const [id = '', value, word = null] = line.split(' ');
    this.#waiting.get(id)?.resolve({ value: Number(value), word });
    this.#waiting.delete(id);
  }
}
