// A client of Redis: node redis.mjs HOST PORT. Brings up a TUN device, so it needs root, or
// `npx tuntcp doctor` to tell what else will do. ioredis takes a class that makes connections.
import { Redis } from 'ioredis';
import { openTun, Stack } from 'tuntcp';

const [host = '10.7.0.1', port = '6379'] = process.argv.slice(2);
const link = openTun({ hostAddress: '10.7.0.1/24' });
const stack = new Stack({ link, address: '10.7.0.2/24' });

class Connector {
  check() {
    return true;
  }
  async connect() {
    this.socket = stack.net.connect(Number(port), host);
    return this.socket;
  }
  disconnect() {
    this.socket?.end();
  }
}

const redis = new Redis({ Connector });
await redis.set('greeting', 'hello from a TCP in TypeScript');
console.log(await redis.get('greeting'));
console.log((await redis.client('LIST')).match(/addr=([\d.]+)/)[1]);
await redis.quit();
