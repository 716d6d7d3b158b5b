import { DEFAULT_SNAPLEN } from '../wire/pcapng.js';
import { byteCount, integer } from './arguments.js';
import { UsageError } from './command.js';

/** A smaller file would hold little more than its headers. */
const MIN_ROTATE_BYTES = 1000;

export function snaplen(text: string, what: string): number {
  return integer(text, what, 1, DEFAULT_SNAPLEN);
}

/** For `CaptureFile`: when another file is begun, and how many are kept. */
export interface Rotation {
  maxBytes?: number;
  files?: number;
}

type Values<T> = { size: T; files: T };

/**
 * @param names of the two options, for people
 * @throws UsageError
 */
export function rotationOf(values: Values<string | undefined>, names: Values<string>): Rotation {
  const rotation: Rotation = {};
  if (values.size !== undefined) {
    rotation.maxBytes = byteCount(values.size, names.size, MIN_ROTATE_BYTES);
  }
  if (values.files !== undefined) {
    rotation.files = integer(values.files, names.files, 1, 1e9);
    if (rotation.maxBytes === undefined) {
      throw new UsageError(`${names.files} needs ${names.size}`);
    }
  }
  return rotation;
}
