import { ControlClient } from './client.js';
import {
  checkDirectory,
  controlDirectory,
  makeDirectory,
  networkId,
  socketNames,
  socketPath,
} from './directory.js';
import type { Identity } from './protocol.js';
import { type ControlServer, removeSocket, startControlServer } from './server.js';
import type { Questions } from './session.js';

/** Ms that a stack has to say who it is. */
const PATIENCE = 2_000;

/**
 * Makes the control socket of a stack, `NAME.sock` or, when a stack in another network namespace has
 * that name, `NAME@NAMESPACE.sock`. Sockets that ended stacks have left behind are removed.
 */
export async function openControl(
  env: NodeJS.ProcessEnv,
  device: string,
  questions: Questions,
): Promise<ControlServer> {
  const directory = controlDirectory(env);
  makeDirectory(directory);
  const answering = new Set<string>();
  for (const name of socketNames(directory)) {
    const path = socketPath(directory, name);
    if (await isStale(path)) removeSocket(path);
    else answering.add(name);
  }
  const name = answering.has(device) ? `${device}@${networkId()}` : device;
  return startControlServer(socketPath(directory, name), questions);
}

/** @throws Error when a stack in this network namespace has the device */
export async function refuseSecond(env: NodeJS.ProcessEnv, device: string): Promise<void> {
  const directory = controlDirectory(env);
  const network = networkId();
  for (const name of [device, `${device}@${network}`]) {
    const identity = await whoAnswers(socketPath(directory, name));
    if (identity?.device !== device || identity.network !== network) continue;
    throw new Error(
      `${device} is served by process ${identity.pid} already: end that one, or choose another --device`,
    );
  }
}

/**
 * Connects to the stack that has the device, or to the only one there is.
 * @throws Error that says what to do next
 */
export async function connectToStack(
  env: NodeJS.ProcessEnv,
  device: string | undefined,
): Promise<ControlClient> {
  const directory = controlDirectory(env);
  const names = socketNames(directory);
  if (names.length > 0) checkDirectory(directory);
  const running: { name: string; client: ControlClient }[] = [];
  for (const name of names) {
    if (device !== undefined && name !== device) continue;
    const client = await connectOrNull(socketPath(directory, name));
    if (client !== null) running.push({ name, client });
  }
  if (running.length === 1) return running[0]!.client;
  for (const { client } of running) client.close();
  if (running.length > 1) {
    const choices = running.map(({ name }) => name).join(', ');
    throw new Error(`several stacks run; add --device and one of: ${choices}`);
  }
  throw new Error(
    `no stack ${device === undefined ? 'runs' : `with the device ${device} runs`} under this user (${directory}): start one with tuntcp serve, or ask as the user who runs it (sudo)`,
  );
}

async function isStale(path: string): Promise<boolean> {
  try {
    (await ControlClient.connect(path, PATIENCE)).close();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  }
}

async function connectOrNull(path: string): Promise<ControlClient | null> {
  try {
    return await ControlClient.connect(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return null;
    throw error;
  }
}

async function whoAnswers(path: string): Promise<Identity | null> {
  let client: ControlClient;
  try {
    client = await ControlClient.connect(path, PATIENCE);
  } catch {
    return null;
  }
  try {
    return await client.ask('identity');
  } catch {
    return null;
  } finally {
    client.close();
  }
}
