import { readFileSync } from 'node:fs';
import { conversationsIn } from '../stack/captured-conversations.js';
import type { Conversation } from '../stack/conversation.js';
import { renderLadder, wantsColour } from '../stack/ladder.js';
import { renderMermaid } from '../stack/ladder-mermaid.js';
import { renderSvg } from '../stack/ladder-svg.js';
import type { PacketFilter } from '../wire/filter.js';
import { type ReadPacket, readCapture } from '../wire/pcap-reader.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';

/** How the conversations of a capture are drawn. */
export type Drawing = 'ladder' | 'mermaid' | 'svg';

const DRAWINGS: readonly Drawing[] = ['ladder', 'mermaid', 'svg'];

/** Options for `parse`. */
export const DRAWING_OPTIONS = {
  ladder: { type: 'boolean', default: false },
  mermaid: { type: 'boolean', default: false },
  svg: { type: 'boolean', default: false },
} as const;

/**
 * The drawing that was asked for; null: none.
 * @throws UsageError for more than one
 */
export function drawingFrom(values: Record<Drawing, boolean>): Drawing | null {
  const asked = DRAWINGS.filter((one) => values[one]);
  if (asked.length > 1) throw new UsageError(`--${asked[0]} and --${asked[1]} exclude each other`);
  return asked[0] ?? null;
}

/**
 * Draws what a capture file has. Mermaid and SVG are one document each, so of one conversation.
 * @returns the exit code
 * @throws UsageError without a file
 */
export function drawCapture(
  io: Io,
  path: string | undefined,
  filter: PacketFilter,
  as: Drawing,
): number {
  if (path === undefined) throw new UsageError(`--${as} draws a file: give it with -r FILE`);
  const conversations = conversationsIn(filtered(path, filter));
  const [first] = conversations;
  if (first === undefined) {
    io.stderr.write(`tuntcp capture: ${path} has no TCP segment that FILTER lets pass\n`);
    return 1;
  }
  if (as !== 'ladder' && conversations.length > 1) {
    const count = conversations.length.toLocaleString('en-US');
    io.stderr.write(
      `tuntcp capture: --${as} draws one conversation of ${count}; FILTER for the first: '${filterFor(first)}'\n`,
    );
    return 1;
  }
  const { columns: width } = io.stdout;
  const colour = wantsColour(io.stdout, io.env);
  const texts = conversations.map((one) => {
    if (as === 'mermaid') return renderMermaid(one);
    if (as === 'svg') return renderSvg(one);
    return renderLadder(one, { width, colour });
  });
  io.stdout.write(texts.join('\n'));
  return 0;
}

function* filtered(path: string, filter: PacketFilter): Generator<ReadPacket> {
  for (const packet of readCapture(readFileSync(path))) {
    if (filter(packet.bytes, 0, packet.bytes.length)) yield packet;
  }
}

function filterFor({ remoteAddress, remotePort, localPort }: Conversation): string {
  return `host ${remoteAddress} and port ${remotePort} and port ${localPort}`;
}
