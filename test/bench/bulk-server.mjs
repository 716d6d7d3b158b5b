// One server for both: `bulk-server.mjs KIND ADDRESS BYTES`, on node:net (kind `node`) or on ours:
// `ours`, `ours-plain` without offload, `ours-traced` with a recorder, `ours-captured` to a file.
// Port 9 takes what comes, port 19 sends BYTES and ends. Says `ready`; ends with its standard input.
import { mkdtempSync, rmSync } from 'node:fs';
import nodeNet from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const [, , kind, address, bytes] = process.argv;
const block = Buffer.alloc(256 * 1024, 'x');

async function netOf(kind) {
  if (kind === 'node') return nodeNet;
  const { CaptureFile, captureLink, openTun, Stack } = await import('../../dist/index.js');
  let link = openTun({ hostAddress: '10.7.0.1/24', offload: kind !== 'ours-plain' });
  if (kind === 'ours-captured') {
    const path = join(mkdtempSync(join(tmpdir(), 'tuntcp-bench-')), 'bulk.pcapng');
    process.on('exit', () => rmSync(dirname(path), { recursive: true }));
    link = captureLink(link, new CaptureFile(path, { maxBytes: 256 * 1024 * 1024, files: 2 }));
  }
  const { Recorder } = await import('../../dist/stack/recorder.js');
  const trace = kind === 'ours-traced' ? new Recorder() : null;
  return new Stack({ link, address: `${address}/24`, trace }).net;
}

function discard(socket) {
  socket.on('data', () => {});
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
}

function send(socket) {
  let left = Number(bytes);
  const pump = () => {
    while (left > 0) {
      const length = Math.min(left, block.length);
      left -= length;
      if (!socket.write(length < block.length ? block.subarray(0, length) : block)) return;
    }
    socket.end();
  };
  socket.on('drain', pump);
  socket.on('error', () => socket.destroy());
  socket.resume();
  pump();
}

const net = await netOf(kind);
net.createServer(discard).listen(9, address);
net.createServer(send).listen(19, address, () => console.log('ready'));
process.stdin.on('end', () => process.exit(0)).resume();
