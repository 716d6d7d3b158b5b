/** What a rule has to say about one place. */
export interface Finding {
  /** Path relative to the root, with `/`. */
  file: string;
  /** Counted from 1. */
  line: number;
  severity: 'error' | 'warning';
  message: string;
}
