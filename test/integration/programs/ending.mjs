// Starts a command that would run for a minute, and ends in the way that is asked for.
import { spawnInNamespace } from '../../../dist/link/namespace.js';
import { report } from './packets.mjs';

const { link, child } = await spawnInNamespace({
  command: 'sleep',
  args: ['60'],
  stdio: 'ignore',
});
report(child.pid);
child.on('exit', (code, signal) => {
  report({ code, signal });
  link.close();
});
process.kill(process.pid, process.argv[2]);
