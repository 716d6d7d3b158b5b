#!/usr/bin/env node
import { main } from './cli.js';
import { processIo } from './io.js';

const io = processIo();
main(process.argv.slice(2), io).then((code) => {
  // Whatever keeps the event loop busy (a terminal that is read from) does not matter any more,
  // but what was written to a pipe has to get there.
  process.exitCode = code;
  io.flush().then((failed) => process.exit(failed && code === 0 ? 1 : code));
});
