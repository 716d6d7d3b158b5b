// How a device lives and ends, one case per run.
import { execFileSync, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { addon } from '../../../dist/link/native.js';
import { openTun } from '../../../dist/link/tun.js';
import { names, receiver, report, send, told, udp } from './packets.mjs';

const devices = () => JSON.parse(execFileSync('ip', ['-j', 'addr', 'show'], { encoding: 'utf8' }));
const devicesNow = () => devices().map(({ ifname }) => ifname);

/** Makes the kernel send `count` packets into a device with 10.7.0.1/24. */
function stir(count = 1, address = '10.7.0.2') {
  const socket = dgram.createSocket('udp4');
  return new Promise((resolve) => {
    let left = count;
    const done = () => --left === 0 && socket.close(resolve);
    for (let i = 0; i < count; i++) socket.send(`packet ${i}`, 9, address, done);
  });
}

const cases = {
  async exits() {
    const link = openTun({ hostAddress: '10.7.0.1/24' });
    link.open(receiver(() => {}));
    report(names());
  },

  async holds() {
    const link = openTun();
    link.open(receiver(() => {}));
    link.ref();
    setTimeout(() => {
      report('held');
      link.unref();
    }, 50).unref();
  },

  async errors() {
    const link = openTun({ name: 'tunx' });
    report([
      told(() => openTun({ name: 'tunx' })),
      told(() => openTun({ name: 'lo' })),
      told(() => openTun({ fd: 0 })),
      told(() => openTun({ name: 'tuny', routes: ['10.8.0.0/16', '10.8.0.0/16'] })),
      devicesNow(),
    ]);
    link.close();
  },

  async nobody() {
    report([told(() => openTun()), told(() => openTun({ name: 'tun9' }))]);
  },

  async nobodysDevice() {
    const link = openTun({ name: 'tunp', hostAddress: '10.7.0.1/24', mtu: 1400 });
    let arrived = 0;
    link.ref().open(receiver(() => arrived++));
    // The kernel drops packets until it has noticed, in its own time, that the carrier is there.
    while (arrived === 0) {
      await stir();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const denied = told(() => openTun({ name: 'tunq', hostAddress: '10.9.0.1/24' }));
    link.close();
    report({ mtu: link.mtu, denied, names: devicesNow() });
  },

  /** Far longer than this lasts, so that the loop is still looking when the device is closed. */
  async busyPolls() {
    const link = openTun({ hostAddress: '10.7.0.1/24', busyPoll: 1_000_000 });
    let arrived = 0;
    await new Promise((resolve) => {
      const next = () => {
        if (++arrived === 20) setTimeout(resolve, 5);
        else if (arrived < 20) void stir();
      };
      link.ref().open(receiver(next));
      void stir();
    });
    link.close();
    report(arrived);
  },

  async restores() {
    const show = (args) => execFileSync('ip', args, { encoding: 'utf8' });
    // The carrier comes and goes with the descriptor, which is no setting.
    const look = () =>
      [show(['addr', 'show', 'dev', 'tunp']), show(['route'])]
        .join('')
        .replace(/state \w+|NO-CARRIER,|,?LOWER_UP|qdisc \w+|linkdown/g, '');
    const before = look();
    const link = openTun({
      name: 'tunp',
      hostAddress: '10.7.0.1/24',
      mtu: 1300,
      txQueueLength: 50,
      routes: ['10.8.0.0/16'],
    });
    const during = look();
    link.close();
    report({ before, during, after: look() });
  },

  async deleted() {
    const link = openTun({ hostAddress: '10.7.0.1/24' });
    const ended = new Promise((resolve) => {
      link.ref().open(receiver(() => {}, { closed: resolve }));
    });
    execFileSync('ip', ['link', 'del', link.name]);
    const { code, syscall, message } = await ended;
    report({ code, syscall, message });
  },

  async down() {
    const link = openTun({ hostAddress: '10.7.0.1/24' });
    const datagram = () => udp('10.7.0.2', 1, '10.7.0.1', 2, 'x');
    const arrived = new Promise((resolve) => link.ref().open(receiver(resolve)));
    execFileSync('ip', ['link', 'set', link.name, 'down']);
    send(link, datagram());
    execFileSync('ip', ['link', 'set', link.name, 'up']);
    send(link, Buffer.from([0x15, 0, 0, 3])); // there is no IP version 1
    send(link, datagram());
    await arrived;
    report(link.counters);
    link.close();
  },

  async collected() {
    let collected = 0;
    const registry = new FinalizationRegistry(() => collected++);
    (() => {
      for (let i = 0; i < 3; i++) {
        const opened = openTun({ up: false });
        opened.open(receiver(() => {}));
        opened.close();
        registry.register(opened);
        registry.register(openTun({ up: false }));
      }
    })();
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc');
    while (collected < 6 || devicesNow().length > 1) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    report(collected);
  },

  async throws() {
    const link = openTun({ hostAddress: '10.7.0.1/24' });
    const seen = [];
    const caught = [];
    process.on('uncaughtException', (error) => caught.push(error.message));
    link.open(
      receiver((packet) => {
        const text = packet.subarray(28).toString();
        seen.push(text);
        process.nextTick(() => seen.push(`tick after ${text}`));
        if (seen.length === 1) throw new Error('from the receiver');
        link.unref();
      }),
    );
    link.ref();
    await stir();
    while (caught.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await stir();
    process.on('exit', () => report({ seen, caught }));
  },

  async workers() {
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.module).then(({ openTun }) => {
        const link = openTun({ name: workerData.name, hostAddress: workerData.host });
        link.open({
          receive() { parentPort.postMessage('packet'); },
          writable() {},
          closed() {},
        });
        link.ref();
        parentPort.postMessage('open');
      });`;
    const module = new URL('../../../dist/link/tun.js', import.meta.url).href;
    const workers = [0, 1, 2].map((i) => {
      const workerData = { module, name: `tunw${i}`, host: `10.7.${i}.1/24` };
      const worker = new Worker(code, { eval: true, workerData });
      const messages = [];
      const heard = (text) =>
        new Promise((resolve) => {
          if (messages.includes(text)) resolve();
          worker.on('message', (message) => message === text && resolve());
        });
      worker.on('message', (message) => messages.push(message));
      return { worker, heard };
    });
    const link = openTun({ name: 'tunmain', hostAddress: '10.7.9.1/24' });
    link.open(receiver(() => {}));
    await Promise.all(workers.map(({ heard }) => heard('open')));
    const during = devicesNow();
    await Promise.all(workers.map(({ heard }, i) => [stir(1, `10.7.${i}.2`), heard('packet')][1]));
    await Promise.all(workers.map(({ worker }) => worker.terminate()));
    report({ during, after: devicesNow() });
  },

  async inherited() {
    const device = new (addon().Device)('', -1, process.argv[3] === 'offload');
    const child = spawnSync(process.execPath, [process.argv[1], 'heir'], {
      stdio: ['inherit', 'inherit', 'inherit', device.fd],
      timeout: 10_000,
    });
    report({ status: child.status, name: device.name, names: devicesNow() });
  },

  async heir() {
    const link = openTun({ fd: 3, hostAddress: '10.7.0.1/24' });
    const packet = new Promise((resolve) => link.ref().open(receiver(resolve)));
    await stir();
    const text = (await packet).subarray(28).toString();
    report({ name: link.name, offload: link.offload, mtu: link.mtu, text });
    link.close();
  },

  async many() {
    for (let i = 0; i < 50; i++) {
      const link = openTun({ up: false });
      link.open(receiver(() => {}));
      link.close();
    }
    report(devicesNow());
  },
};

await cases[process.argv[2]]();
