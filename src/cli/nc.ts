import { finished } from 'node:stream/promises';
import { WatchedLink } from '../link/watched-link.js';
import { Recorder } from '../stack/recorder.js';
import { bare, HOST_HELP, HOST_OPTIONS, hostSettings, parse, port, seconds } from './arguments.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';
import { liveRecorder } from './live.js';
import type { Host, HostSocket } from './platform.js';
import { closeHost, StopRequests } from './shutdown.js';

const HELP = `Usage: tuntcp nc [OPTIONS] HOST PORT
       tuntcp nc [OPTIONS] -l PORT

Netcat over our TCP, from our side of a TUN device: standard input goes to the peer, what the peer
sends to standard output. The end of standard input is sent as FIN (half-close), and reading goes on
until the peer ends too.

  -l, --listen                  wait for one connection to PORT of our address
  -w, --wait SECONDS            give up when connecting takes, or the connection idles, this long
  -q, --quit SECONDS            quit this long after the end of standard input
  -N                            accepted: the end of standard input always is sent
  -d                            do not read standard input
  -v, --verbose                 say on standard error what happens
      --ladder                  print every segment on standard error
      --device NAME             name of the device (the kernel picks tun0 or the next)
${HOST_HELP}
  -h, --help                    print this and exit

Exit status: 0 done, 1 failed, 2 wrong usage, 130 Ctrl-C.
`;

export const nc: Command = { help: HELP, run };

interface Talk {
  /** Null to listen. */
  peer: string | null;
  port: number;
  /** Ms; 0 for ever. */
  wait: number;
  /** Ms; null for ever. */
  quit: number | null;
  readStdin: boolean;
  say: (text: string) => void;
}

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    ...HOST_OPTIONS,
    device: { type: 'string' },
    listen: { type: 'boolean', short: 'l', default: false },
    wait: { type: 'string', short: 'w' },
    quit: { type: 'string', short: 'q' },
    shutdown: { type: 'boolean', short: 'N' },
    detach: { type: 'boolean', short: 'd', default: false },
    verbose: { type: 'boolean', short: 'v', default: false },
    ladder: { type: 'boolean', default: false },
  });
  const wanted = values.listen ? ['PORT'] : ['HOST', 'PORT'];
  if (positionals.length !== wanted.length) throw new UsageError(`takes ${wanted.join(' and ')}`);
  const talk: Talk = {
    peer: values.listen ? null : positionals[0]!,
    port: port(positionals.at(-1)!),
    wait: values.wait === undefined ? 0 : seconds(values.wait, '-w'),
    quit: values.quit === undefined ? null : seconds(values.quit, '-q'),
    readStdin: !values.detach,
    say: values.verbose ? (text) => io.stderr.write(`${text}\n`) : () => {},
  };
  const settings = hostSettings(values);
  const live = values.ladder ? liveRecorder(io.stderr, io.env) : null;
  const stop = new StopRequests(io);
  try {
    const link = new WatchedLink(
      await io.platform.openDevice({ name: values.device, ...settings }),
    );
    try {
      const host = await io.platform.host(link, settings.address, live?.recorder ?? new Recorder());
      const stopped = stop.first.then((reason) => (reason === 'EPIPE' ? 0 : 130));
      const done = converse(talk, host, bare(settings.address), io);
      const code = await Promise.race([done, stopped, link.lost]);
      await Promise.race([closeHost(host, link), stop.second]);
      live?.finish();
      return code;
    } finally {
      link.close();
    }
  } finally {
    stop.release();
  }
}

async function converse(talk: Talk, host: Host, address: string, io: Io): Promise<number> {
  const socket = talk.peer === null ? await accept(talk, host, address) : await connect(talk, host);
  const ended = finished(socket);
  if (talk.wait > 0) socket.setTimeout(talk.wait, () => socket.destroy());
  socket.pipe(io.stdout, { end: false });
  let timer: NodeJS.Timeout | undefined;
  if (talk.readStdin) {
    io.stdin.once('end', () => {
      if (talk.quit !== null) timer = setTimeout(() => socket.destroy(), talk.quit);
    });
    io.stdin.once('error', (error) => socket.destroy(error));
    io.stdin.pipe(socket);
    // Someone at a terminal has no way to see that the peer will not answer any more.
    if (io.stdin.isTTY) socket.once('end', () => socket.end());
  } else {
    socket.end();
  }
  try {
    await ended;
  } catch (error) {
    // Destroyed by our own timer: not an error of the connection.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  } finally {
    clearTimeout(timer);
    io.stdin.unpipe(socket);
    io.stdin.pause();
  }
  await new Promise<void>((resolve) => io.stdout.write('', () => resolve()));
  return 0;
}

function connect(talk: Talk, host: Host): Promise<HostSocket> {
  return new Promise((resolve, reject) => {
    const peer = talk.peer!;
    const socket = host.net.connect({ host: peer, port: talk.port, allowHalfOpen: true });
    const late = `connect ETIMEDOUT ${peer}:${talk.port}: no answer within ${talk.wait / 1000} s`;
    const giveUp = () => socket.destroy(new Error(late));
    if (talk.wait > 0) socket.setTimeout(talk.wait, giveUp);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.setTimeout(0, giveUp);
      talk.say(`Connected to ${socket.remoteAddress}:${socket.remotePort}`);
      resolve(socket);
    });
  });
}

function accept(talk: Talk, host: Host, address: string): Promise<HostSocket> {
  return new Promise((resolve, reject) => {
    const server = host.net.createServer({ allowHalfOpen: true }, (socket) => {
      server.close();
      talk.say(`Connection from ${socket.remoteAddress}:${socket.remotePort}`);
      resolve(socket as HostSocket);
    });
    server.on('error', reject);
    server.listen(talk.port, () => talk.say(`Listening on ${address}:${talk.port}`));
  });
}
