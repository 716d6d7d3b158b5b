import type { CallLine } from './script.js';
import type { Result } from './subject.js';
import type { AgentAnswer, SyscallAgent } from './syscall-agent.js';
import { flowNumber } from './virtual-sockets.js';

const HOW: Readonly<Record<string, number>> = { SHUT_RD: 0, SHUT_WR: 1, SHUT_RDWR: 2 };

/** A descriptor of a script as the agent has it. */
interface Descriptor {
  readonly fd: number;
  remotePort: number;
  listens: boolean;
  isBound: boolean;
}

/** The system calls of one script, made by the agent. */
export class KernelSockets {
  readonly #agent: SyscallAgent;
  readonly #local: { address: string; port: number };
  readonly #peer: { address: string; port(flow: number): number };
  readonly #descriptors = new Map<string, Descriptor>();

  constructor(
    agent: SyscallAgent,
    local: { address: string; port: number },
    peer: { address: string; port(flow: number): number },
  ) {
    this.#agent = agent;
    this.#local = local;
    this.#peer = peer;
  }

  async call(call: CallLine): Promise<Result> {
    const { name, args, wanted } = call;
    const chosen = String(wanted.value?.from);
    if (name === 'socket') return this.#open(chosen);
    if (name === 'state') return this.#state(args[0] ?? '');
    const socket = this.#descriptors.get(args[0]!);
    if (socket === undefined) return { value: -1, name: 'EBADF' };
    if (name === 'accept') return this.#accept(socket, chosen);
    if (name === 'connect') return this.#connect(socket, args[1]!);
    const answer = await this.#plain(socket, call);
    if (name === 'close' || name === 'abort') this.#descriptors.delete(args[0]!);
    return resultOf(answer);
  }

  /** Lets go of what the script has left open. */
  async close(): Promise<void> {
    const open = [...this.#descriptors.values()];
    this.#descriptors.clear();
    await Promise.all(open.map(({ fd }) => this.#agent.call('abort', fd)));
  }

  #plain(socket: Descriptor, { name, args }: CallLine): Promise<AgentAnswer> {
    const [, second = '', third = '', fourth = ''] = args;
    const { fd } = socket;
    switch (name) {
      case 'bind':
        return this.#bind(socket);
      case 'listen':
        socket.listens = true;
        return this.#agent.call('listen', fd, second);
      case 'read':
      case 'write':
        return this.#agent.call(name, fd, third);
      case 'send':
        return this.#agent.call(fourth.includes('MSG_OOB') ? 'urgent' : 'write', fd, third);
      case 'shutdown':
        return this.#agent.call('shutdown', fd, HOW[second] ?? -1);
      case 'setsockopt':
        return this.#agent.call('setsockopt', fd, third, optionValue(third, fourth));
      case 'cwnd':
      case 'unread':
      case 'retransmits':
        return this.#agent.call('look', fd, name);
      default:
        return this.#agent.call(name, fd);
    }
  }

  async #open(chosen: string): Promise<Result> {
    const answer = await this.#agent.call('socket');
    if (answer.value >= 0) this.#add(chosen, answer.value, 0, false);
    return resultOf(answer);
  }

  #add(chosen: string, fd: number, remotePort: number, isBound: boolean): void {
    this.#descriptors.set(chosen, { fd, remotePort, listens: false, isBound });
  }

  #bind(socket: Descriptor): Promise<AgentAnswer> {
    socket.isBound = true;
    return this.#agent.call('bind', socket.fd, this.#local.address, this.#local.port);
  }

  async #accept(socket: Descriptor, chosen: string): Promise<Result> {
    const answer = await this.#agent.call('accept', socket.fd);
    if (answer.value < 0) return resultOf(answer);
    this.#add(chosen, answer.value, Number(answer.word), true);
    return { value: answer.value, name: null };
  }

  async #connect(socket: Descriptor, flow: string): Promise<Result> {
    if (!socket.isBound) {
      const bound = await this.#bind(socket);
      if (bound.value < 0) return resultOf(bound);
    }
    socket.remotePort = this.#peer.port(flowNumber(flow));
    const { address } = this.#peer;
    return resultOf(await this.#agent.call('connect', socket.fd, address, socket.remotePort));
  }

  async #state(what: string): Promise<Result> {
    const socket = this.#descriptors.get(what);
    const { port } = this.#local;
    if (socket?.listens) return resultOf(await this.#agent.call('state', port, '0.0.0.0', 0));
    const remotePort = socket?.remotePort || this.#peer.port(flowNumber(what));
    return resultOf(await this.#agent.call('state', port, this.#peer.address, remotePort));
  }
}

function resultOf({ value, word }: AgentAnswer): Result {
  return { value, name: word };
}

/** `[1]` is 1, `{onoff=1, linger=0}` is 1/0, `"reno"` is reno. */
function optionValue(name: string, text: string): string {
  const words = text.match(name === 'TCP_CONGESTION' ? /\w+/g : /\d+/g) ?? ['0'];
  return words.join('/');
}
