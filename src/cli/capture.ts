import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ReadPacket, readCapture } from '../wire/pcap-reader.js';
import { LinePrinter } from '../wire/print.js';
import { parse } from './arguments.js';
import { DRAWING_OPTIONS, drawCapture, drawingFrom } from './capture-ladder.js';
import { filterFrom } from './capture-serve.js';
import type { Command } from './command.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';

const HELP = `Usage: tuntcp capture -r FILE [OPTIONS] [FILTER]

Prints the IPv4 packets of a capture file (pcapng or pcap) as tcpdump -n does, each on a line.
tuntcp serve --pcap FILE makes such files.

  -r, --read FILE    the file
  -t                 no time in front of a line; -tt: seconds since 1970
  -S                 sequence numbers as they are, not counted from the handshake
  -v, --verbose      add why the host dropped a packet
      --json         one JSON object per line: {"time", "direction", "length", "line", "comment"}
      --ladder       draw each conversation, with the states of both ends as the segments tell them
      --mermaid      draw the conversation as a sequenceDiagram of Mermaid
      --svg          draw the conversation as a picture
  -h, --help         print this and exit

FILTER is what tcpdump knows: host A, net A/LEN, port N, each after src or dst if wanted; tcp, udp,
icmp; syn, ack, fin, rst, psh, urg or tcp[syn]; less N, greater N; not, and, or, parentheses.

Example: tuntcp capture -r file.pcapng 'port 80 and (syn or fin)'
Exit status: 0 done, 1 the file cannot be read, 2 wrong usage.
`;

export const capture: Command = { help: HELP, run };

async function run(argv: string[], io: Io): Promise<number> {
  const { values, positionals } = parse(argv, {
    read: { type: 'string', short: 'r' },
    time: { type: 'boolean', short: 't', multiple: true, default: [] },
    absolute: { type: 'boolean', short: 'S', default: false },
    verbose: { type: 'boolean', short: 'v', default: false },
    json: { type: 'boolean', default: false },
    ...DRAWING_OPTIONS,
  });
  const drawing = drawingFrom(values);
  if (values.read === undefined) throw new UsageError('which file? give it with -r FILE');
  const filter = filterFrom(positionals.join(' '), 'FILTER');
  if (drawing !== null) return drawCapture(io, values.read, filter, drawing);
  const printer = new LinePrinter({ absolute: values.absolute });
  const time = TIMES[values.time.length] ?? secondsSince1970;
  let stopped = false;
  const release = io.onStop(() => {
    stopped = true;
  });
  try {
    for (const packet of readCapture(readFileSync(values.read))) {
      if (!filter(packet.bytes, 0, packet.bytes.length)) continue;
      const line = printer.line(packet.bytes);
      let text = time(packet.time) + line;
      if (values.verbose && packet.comment !== null) text += ` (${packet.comment})`;
      if (values.json) text = asJson(packet, line);
      if (!io.stdout.write(`${text}\n`)) await once(io.stdout, 'drain');
      if (stopped) break;
    }
    return 0;
  } finally {
    release();
  }
}

const DIRECTIONS = [null, 'in', 'out', null];

function asJson(packet: ReadPacket, line: string): string {
  return JSON.stringify({
    time: secondsSince1970(packet.time).trimEnd(),
    direction: DIRECTIONS[packet.direction],
    length: packet.originalLength,
    line,
    comment: packet.comment,
  });
}

function secondsSince1970(time: bigint): string {
  return `${time / 1_000_000_000n}.${microseconds(time)} `;
}

function timeOfDay(time: bigint): string {
  const date = new Date(Number(time / 1_000_000n));
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()];
  const text = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return `${text}.${microseconds(time)} `;
}

/** Cut off, not rounded, as tcpdump does. */
function microseconds(time: bigint): string {
  return String((time % 1_000_000_000n) / 1000n).padStart(6, '0');
}

/** By how often `-t` was given. */
const TIMES: readonly ((time: bigint) => string)[] = [timeOfDay, () => '', secondsSince1970];
