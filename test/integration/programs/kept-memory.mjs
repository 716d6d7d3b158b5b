// Pages that the kernel has to bring in while buffers of 1 MiB come and go: prints their number per buffer as
// JSON, before and after the C library was told to keep what is freed. Needs --expose-gc.
import { addon } from '../../../dist/link/native.js';

const PIECE = 1024 * 1024;
const ROUNDS = 50;
const PIECES = 16;

function faultsPerPiece() {
  const before = process.resourceUsage().minorPageFault;
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < PIECES; i++) Buffer.allocUnsafeSlow(PIECE).fill(round);
    globalThis.gc();
  }
  return (process.resourceUsage().minorPageFault - before) / (ROUNDS * PIECES);
}

faultsPerPiece();
const freed = faultsPerPiece();
addon().keepFreed(4 * PIECE, 32 * PIECE);
faultsPerPiece();
console.log(JSON.stringify({ freed, kept: faultsPerPiece() }));
