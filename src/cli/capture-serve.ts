import { type CaptureLink, captureLink, type TapOptions } from '../link/capture.js';
import { CaptureFile } from '../link/capture-file.js';
import type { Link } from '../link/link.js';
import { compileFilter, FilterError, type PacketFilter } from '../wire/filter.js';
import { rotationOf, snaplen } from './capture-options.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';

/** What is captured of a link that a command opens. */
export interface Capture {
  /** The link around which the host is made; more sinks can be attached to it. */
  wrap(link: Link): CaptureLink;
  /** Writes the rest, and says on standard error what the file has. */
  finish(): Promise<void>;
}

const NONE: Capture = { wrap: (link) => captureLink(link, null), finish: async () => {} };

export const PCAP_OPTIONS = {
  pcap: { type: 'string' },
  'pcap-filter': { type: 'string' },
  'pcap-rotate-size': { type: 'string' },
  'pcap-rotate-files': { type: 'string' },
  'pcap-snaplen': { type: 'string' },
} as const;

export const PCAP_HELP = `      --pcap FILE               write every packet to FILE, in pcapng; wireshark FILE reads it
      --pcap-filter FILTER      only these packets, such as 'tcp port 80 and not host 10.7.0.9'
      --pcap-rotate-size BYTES  go on in FILE.2 and so on when a file is full, such as 100M
      --pcap-rotate-files N     keep the latest N of these files
      --pcap-snaplen BYTES      keep no more of each packet`;

type PcapValues = { [K in keyof typeof PCAP_OPTIONS]?: string | undefined };

/**
 * The capture that `--pcap` and its companions ask for. The file is made when the link is wrapped.
 * @throws UsageError
 */
export function startCapture(io: Io, values: PcapValues & { json: boolean }): Capture {
  const { pcap: path, json } = values;
  if (path === undefined) {
    const companion = Object.keys(PCAP_OPTIONS).find((key) => values[key as keyof PcapValues]);
    if (companion !== undefined) throw new UsageError(`--${companion} needs --pcap FILE`);
    return NONE;
  }
  const options = captureOptions(values);
  const rotation = rotationOf(
    { size: values['pcap-rotate-size'], files: values['pcap-rotate-files'] },
    { size: '--pcap-rotate-size', files: '--pcap-rotate-files' },
  );
  const warn = (message: string) => io.stderr.write(`tuntcp: ${message}\n`);
  let file: CaptureFile | null = null;
  return {
    wrap(link) {
      file = new CaptureFile(path, { ...rotation, warn });
      return captureLink(link, file, options);
    },
    async finish() {
      if (file === null) return;
      await file.close();
      const { packets, lost } = file;
      if (json) io.stdout.write(`${JSON.stringify({ event: 'captured', path, packets, lost })}\n`);
      else io.stderr.write(`${path}: ${packets} packets captured, ${lost} lost\n`);
    },
  };
}

function captureOptions(values: PcapValues): TapOptions {
  const filter = filterFrom(values['pcap-filter'] ?? '', '--pcap-filter');
  const kept = values['pcap-snaplen'];
  return kept === undefined ? { filter } : { filter, snaplen: snaplen(kept, '--pcap-snaplen') };
}

/**
 * @param option where it was given, for people
 * @throws UsageError
 */
export function filterFrom(expression: string, option: string): PacketFilter {
  try {
    return compileFilter(expression);
  } catch (error) {
    if (error instanceof FilterError) throw new UsageError(`${option}: ${error.message}`);
    throw error;
  }
}
