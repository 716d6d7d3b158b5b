import { readFileSync } from 'node:fs';
import type { CaptureFileOptions } from '../link/capture-file.js';
import { readCapture } from '../wire/pcap-reader.js';
import { integer, parse } from './arguments.js';
import { DRAWING_OPTIONS, drawCapture, drawingFrom } from './capture-ladder.js';
import { captureLive } from './capture-live.js';
import { rotationOf, snaplen } from './capture-options.js';
import { FileOutput, LineOutput, type PacketOutput, StreamOutput } from './capture-output.js';
import { filterFrom } from './capture-serve.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';
import { endLive, liveOutput } from './terminal-output.js';

const HELP = `Usage: tuntcp capture [OPTIONS] [FILTER]

Captures the IPv4 packets of a running tuntcp serve, as tcpdump -n does: prints each on a line, or
writes them to a file. With -r it reads them from a file (pcapng or pcap). Ctrl-C ends it.

  -i, --device NAME         the stack to capture from, when several run
  -c, --count N             end after N packets
  -w, --write FILE          write pcapng to FILE instead of lines; - is standard output
      --rotate-size BYTES   go on in FILE.2.pcapng and so on when a file is full; 100k, 10M, 1G
      --rotate-files N      keep the latest N of these files
  -s, --snaplen BYTES       keep no more of each packet, 1 to 262144
  -r, --read FILE           packets of a file
  -t                        no time in front of a line; -tt: seconds since 1970
  -S                        sequence numbers as they are, not counted from the handshake
  -v, --verbose             add why the host dropped a packet
      --json                one JSON object per line: {"time", "direction", "length", "line",
                            "comment"}, and {"lost": N} where packets are missing
      --ladder              of a file: draw each conversation, with the states of both ends as the
                            segments tell them; tuntcp serve --ladder draws while it happens
      --mermaid             of a file: draw the conversation as a sequenceDiagram of Mermaid
      --svg                 of a file: draw the conversation as a picture
  -h, --help                print this and exit

FILTER is what tcpdump knows: host A, net A/LEN, port N, each after src or dst if wanted; tcp, udp,
icmp; syn, ack, fin, rst, psh, urg or tcp[syn]; less N, greater N; not, and, or, parentheses.

Examples: tuntcp capture 'port 80 and (syn or fin)'
          tuntcp capture -w - | wireshark -k -i -
Exit status: 0 done, 1 no such stack, it has ended, or a file cannot be read or written, 2 wrong
usage.
`;

export const capture: Command = { help: HELP, run };

/** Bytes of a packet that a line can depend on: headers, and the first line of HTTP. */
const LINE_SNAPLEN = 4216;

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    device: { type: 'string', short: 'i' },
    count: { type: 'string', short: 'c' },
    write: { type: 'string', short: 'w' },
    'rotate-size': { type: 'string' },
    'rotate-files': { type: 'string' },
    snaplen: { type: 'string', short: 's' },
    read: { type: 'string', short: 'r' },
    time: { type: 'boolean', short: 't', multiple: true, default: [] },
    absolute: { type: 'boolean', short: 'S', default: false },
    verbose: { type: 'boolean', short: 'v', default: false },
    json: { type: 'boolean', default: false },
    ...DRAWING_OPTIONS,
  });
  const { read, device, write, 'rotate-size': size, 'rotate-files': files } = values;
  const filter = positionals.join(' ');
  const count = values.count === undefined ? undefined : integer(values.count, '--count', 1, 1e15);
  const kept = values.snaplen === undefined ? undefined : snaplen(values.snaplen, '--snaplen');
  if (read !== undefined) {
    if (device !== undefined) throw new UsageError('--read and --device exclude each other');
    if (write !== undefined) throw new UsageError('--read and --write exclude each other');
  }
  const drawing = drawingFrom(values);
  if (drawing !== null) return drawCapture(io, read, filterFrom(filter, 'FILTER'), drawing);
  const rotation = rotationOf({ size, files }, { size: '--rotate-size', files: '--rotate-files' });
  if ((size ?? files) !== undefined && (write ?? '-') === '-') {
    throw new UsageError('--rotate-size and --rotate-files need -w FILE');
  }
  if (write !== undefined) {
    const output = fileOutput(io, write, rotation);
    return captureLive(io, device, { filter, snaplen: kept, count }, output);
  }
  const screen = liveOutput(io.stdout);
  const output = new LineOutput(screen, { ...values, time: values.time.length });
  try {
    if (read !== undefined) return await printFile(io, read, filter, output, count, kept);
    const request = { filter, snaplen: kept ?? LINE_SNAPLEN, count };
    return await captureLive(io, device, request, output);
  } finally {
    await endLive(screen);
  }
}

function fileOutput(io: Io, path: string, rotation: CaptureFileOptions): PacketOutput {
  if (path !== '-') {
    const warn = (message: string) => io.stderr.write(`tuntcp capture: ${message}\n`);
    return new FileOutput(path, { ...rotation, warn });
  }
  if (io.stdout.isTTY) throw new UsageError('-w - is for a pipe or a file, not for a terminal');
  return new StreamOutput(io.stdout);
}

async function printFile(
  io: Io,
  path: string,
  expression: string,
  output: PacketOutput,
  count = Infinity,
  snaplen = Infinity,
): Promise<number> {
  const filter = filterFrom(expression, 'FILTER');
  let stopped = false;
  const release = io.onStop(() => {
    stopped = true;
  });
  try {
    let left = count;
    for (const packet of readCapture(readFileSync(path))) {
      if (!filter(packet.bytes, 0, packet.bytes.length)) continue;
      packet.bytes = packet.bytes.subarray(0, snaplen);
      await output.packet(packet);
      if (stopped || --left === 0) break;
    }
    return 0;
  } finally {
    release();
  }
}
