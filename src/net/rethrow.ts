/** An exception of the user's code is the process's to know, and must not unwind the host. */
export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
