import type { NetModule, ServiceServer, ServiceSocket } from './module.js';

/** Sends back what it receives, until the client ends (RFC 862, port 7). */
export function echo(net: NetModule): ServiceServer {
  return net.createServer({ allowHalfOpen: true }, (socket) => {
    ignoreErrors(socket);
    socket.setNoDelay(true);
    socket.pipe(socket);
  });
}

/** Throws away what it receives (RFC 863, port 9). */
export function discard(net: NetModule): ServiceServer {
  return net.createServer({ allowHalfOpen: false }, (socket) => {
    ignoreErrors(socket);
    socket.resume();
  });
}

/** Says the date and time in one line, then ends (RFC 867, port 13). */
export function daytime(net: NetModule, clock: () => Date = () => new Date()): ServiceServer {
  return net.createServer({ allowHalfOpen: false }, (socket) => {
    ignoreErrors(socket);
    socket.resume();
    socket.end(`${daytimeText(clock())}\r\n`);
  });
}

/** `Thursday, January 1, 1970 00:00:00-UTC`, the first form that RFC 867 suggests. */
export function daytimeText(date: Date): string {
  const day = date.toLocaleDateString('en-US', {
    weekday: 'long',
    month: 'long',
    day: 'numeric',
    year: 'numeric',
    timeZone: 'UTC',
  });
  return `${day} ${date.toISOString().slice(11, 19)}-UTC`;
}

/**
 * Sends lines of 72 printable characters without end (RFC 864, port 19), as fast as the client
 * reads. A client that half-closes still wants them; one that is gone answers with RST.
 */
export function chargen(net: NetModule): ServiceServer {
  const block = chargenBlock();
  return net.createServer({ allowHalfOpen: true }, (socket) => {
    ignoreErrors(socket);
    socket.resume();
    const fill = () => {
      // Bounded, so that a client that reads as fast as we write leaves the others their share.
      for (let i = 0; i < 8 && !socket.destroyed; i++) {
        if (!socket.write(block)) return;
      }
      if (!socket.destroyed) setImmediate(fill);
    };
    socket.on('drain', fill);
    fill();
  });
}

const LINE = 72;
const PRINTABLE = 95;

/** The pattern repeats after 95 lines; ten repetitions make writes worth their while. */
function chargenBlock(): Buffer {
  const ring = Array.from({ length: PRINTABLE }, (_, i) => String.fromCharCode(32 + i)).join('');
  let text = '';
  for (let line = 0; line < PRINTABLE; line++) {
    text += `${(ring + ring).slice(line, line + LINE)}\r\n`;
  }
  return Buffer.from(text.repeat(10), 'latin1');
}

/** A client that resets its connection is no news to these services; the socket closes by itself. */
function ignoreErrors(socket: ServiceSocket): void {
  socket.on('error', () => socket.destroy());
}
