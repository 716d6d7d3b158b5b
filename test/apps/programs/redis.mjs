import { once } from 'node:events';
import { Redis } from 'ioredis';
import { drive } from './drive.mjs';

async function pipelined(redis) {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.incr('counter');
  const answers = await pipeline.exec();
  return answers.at(-1);
}

async function published(redis, listener) {
  await listener.subscribe('news');
  const heard = once(listener, 'message');
  const receivers = await redis.publish('news', 'from here');
  return { receivers, heard: await heard };
}

/** The server cuts us off; ioredis connects again, and the command is answered. */
async function reconnected(redis) {
  const id = await redis.client('ID');
  redis.client('KILL', 'ID', id, 'SKIPME', 'no').catch(() => {});
  await once(redis, 'close');
  await once(redis, 'ready');
  return { pong: await redis.ping(), otherConnection: (await redis.client('ID')) !== id };
}

async function client(host, port) {
  const redis = new Redis({ host, port });
  const listener = redis.duplicate();
  const value = Buffer.alloc(3_000_000, 'redis ');
  await redis.set('large', value);
  const list = await redis.client('LIST');
  const result = {
    peer: /addr=([\d.]+):/.exec(list)[1],
    large: value.equals(await redis.getBuffer('large')),
    pipelined: await pipelined(redis),
    published: await published(redis, listener),
    wrong: await redis.call('no-such-command').catch(({ message }) => message.slice(0, 19)),
    reconnected: await reconnected(redis),
  };
  await Promise.all([redis.quit(), listener.quit()]);
  return result;
}

await drive({ client });
