/** Amounts as iperf3 writes and reads them. */

const PREFIXES = ['', 'K', 'M', 'G', 'T'] as const;

/** k, m, g and t want bits, K, M, G and T bytes per second, in this unit; a picks one that fits. */
export type RateFormat = 'a' | 'k' | 'm' | 'g' | 't' | 'K' | 'M' | 'G' | 'T';
export const RATE_FORMATS = 'akmgtKMGT';

/** `1.10 GBytes`: three digits that count, 1024 to the next prefix. */
export function byteText(bytes: number, fixed?: string): string {
  return `${scaled(bytes, 1024, fixed)}Bytes`;
}

/** `9.42 Gbits/sec` */
export function rateText(bitsPerSecond: number, format: RateFormat = 'a'): string {
  if (format === 'a') return `${scaled(bitsPerSecond, 1000)}bits/sec`;
  if (format === format.toLowerCase()) {
    return `${scaled(bitsPerSecond, 1000, format.toUpperCase())}bits/sec`;
  }
  return `${scaled(bitsPerSecond / 8, 1024, format)}Bytes/sec`;
}

function scaled(value: number, step: number, fixed?: string): string {
  let amount = value;
  let prefix = 0;
  while (fixed === undefined ? amount >= 1000 && prefix < 4 : PREFIXES[prefix] !== fixed) {
    amount /= step;
    prefix++;
  }
  const digits = amount < 9.995 ? 2 : amount < 99.95 ? 1 : 0;
  return `${amount.toFixed(digits).padStart(4)} ${PREFIXES[prefix]}`;
}

/** `10M` with 1024 (`-n`, `-l`, `-k`) or 1000 (`-b`) to the next prefix; null for what is no amount. */
export function parseAmount(text: string, step: 1000 | 1024): number | null {
  const match = /^(\d{1,15}(?:\.\d+)?)([kmgt]?)$/i.exec(text);
  if (match === null) return null;
  const power = PREFIXES.indexOf(match[2]!.toUpperCase() as (typeof PREFIXES)[number]);
  return Math.floor(Number(match[1]) * step ** power);
}
