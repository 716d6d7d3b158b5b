import { captureLink } from '../link/capture.js';
import { CaptureFile } from '../link/capture-file.js';
import type { Link } from '../link/link.js';
import { compileFilter, FilterError, type PacketFilter } from '../wire/filter.js';
import { UsageError } from './command.js';
import type { Io } from './io.js';

/** A capture of what passes a link that a command opens. */
export interface Capture {
  wrap(link: Link): Link;
  /** Writes the rest, and says on standard error what the file has. */
  finish(): Promise<void>;
}

const NONE: Capture = { wrap: (link) => link, finish: async () => {} };

/**
 * The capture that `--pcap` and `--pcap-filter` ask for. The file is made when the link is wrapped.
 * @throws UsageError
 */
export function startCapture(
  io: Io,
  values: { pcap?: string | undefined; 'pcap-filter'?: string | undefined; json: boolean },
): Capture {
  const { pcap: path, 'pcap-filter': expression, json } = values;
  if (path === undefined) {
    if (expression !== undefined) throw new UsageError('--pcap-filter needs --pcap FILE');
    return NONE;
  }
  const filter = filterFrom(expression ?? '', '--pcap-filter');
  const warn = (message: string) => io.stderr.write(`tuntcp: ${message}\n`);
  let file: CaptureFile | null = null;
  return {
    wrap(link) {
      file = new CaptureFile(path, { warn });
      return captureLink(link, file, { filter });
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
