// A CA and what it has signed; its own key is thrown away. Valid for a hundred years.
import { readFileSync } from 'node:fs';

const read = (name) => readFileSync(new URL(`../tls/${name}.pem`, import.meta.url), 'utf8');

export const ca = read('ca');
/** For localhost, tuntcp.test, 127.0.0.1, 10.7.0.1 and 10.7.0.2. */
export const server = { cert: read('server'), key: read('server-key') };
/** Of CN=client. */
export const client = { cert: read('client'), key: read('client-key') };
