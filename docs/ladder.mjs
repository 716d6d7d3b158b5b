// Makes docs/ladder.svg: two hosts 20 ms apart, one segment of five lost. `npm run build` comes first.
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { joinLadders, memoryPair, Recorder, renderLadder, renderSvg, Stack } from 'tuntcp';

let full = 0;
const onPacket = (packet) => (packet.length > 1000 && ++full === 2 ? [] : 0);
const [near, far] = memoryPair({ delay: 20, onPacket });
const recorders = [new Recorder(), new Recorder()];
const client = new Stack({ link: near, address: '10.7.0.1/24', trace: recorders[0] });
const server = new Stack({ link: far, address: '10.7.0.2/24', trace: recorders[1] });

const listening = server.net.createServer((socket) => {
  socket.once('data', async () => {
    for (let i = 0; i < 5; i++) {
      socket.write(Buffer.alloc(1448));
      await sleep(10);
    }
    await sleep(150);
    socket.end();
  });
});
listening.listen(80);
const socket = client.net.connect(80, '10.7.0.2').resume();
socket.write('five segments, please');
await new Promise((resolve) => socket.on('close', resolve));
await sleep(50);

const [left, right] = recorders.map((one) => one.conversations()[0]);
const ladder = joinLadders(left, right);
console.log(renderLadder(ladder, { width: 118 }));
const title = 'Five segments, the second of them lost';
writeFileSync(new URL('ladder.svg', import.meta.url), renderSvg(ladder, { title }));
listening.close();
await Promise.all([client.close(), server.close()]);
