import type { TimeWait } from '../tcp/time-wait.js';

/** Records in TIME_WAIT in order of their end: all wait equally long, so new ones go to the back. */
export class TimeWaitList {
  #first: TimeWait | null = null;
  #last: TimeWait | null = null;
  size = 0;

  get first(): TimeWait | null {
    return this.#first;
  }

  /** Appends a record that is not in the list. */
  append(record: TimeWait, expires: number): void {
    record.expires = expires;
    record.previous = this.#last;
    record.next = null;
    if (this.#last === null) this.#first = record;
    else this.#last.next = record;
    this.#last = record;
    this.size++;
  }

  remove(record: TimeWait): void {
    if (record.previous === null) this.#first = record.next;
    else record.previous.next = record.next;
    if (record.next === null) this.#last = record.previous;
    else record.next.previous = record.previous;
    record.previous = null;
    record.next = null;
    this.size--;
  }

  /** When the first one ends, in ms; Infinity when there is none. */
  get expires(): number {
    return this.#first === null ? Infinity : this.#first.expires;
  }
}
