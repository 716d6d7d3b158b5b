/** The diagnostics channels of `node:net`, on which ours are heard as well. */
import { channel, tracingChannel } from 'node:diagnostics_channel';

export const clientSocket = channel('net.client.socket');
export const serverSocket = channel('net.server.socket');
export const serverListen = tracingChannel('net.server.listen');
