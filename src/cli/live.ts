import type { Conversation } from '../stack/conversation.js';
import { LadderPrinter, wantsColour } from '../stack/ladder.js';
import type { LadderLine } from '../stack/ladder-line.js';
import { Recorder } from '../stack/recorder.js';

/** A terminal, or what stands for one. */
interface LiveOutput {
  readonly isTTY?: boolean;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** A recorder that prints every conversation while it happens; `finish` prints what is left. */
export function liveRecorder(
  to: LiveOutput,
  env: NodeJS.ProcessEnv,
): { recorder: Recorder; finish(): void } {
  const printer = new LadderPrinter((text) => to.write(text), {
    width: to.columns,
    colour: wantsColour(to, env),
  });
  const recorder = new Recorder({ onLine: printer.line, defer: setImmediate });
  const finish = () => {
    recorder.flush();
    printer.finish();
  };
  return { recorder, finish };
}

/** A recorder that writes every segment and change of state as one JSON object per line. */
export function jsonRecorder(to: LiveOutput): { recorder: Recorder; finish(): void } {
  const onLine = (line: LadderLine, at: Conversation) => {
    const { localAddress, localPort, remoteAddress, remotePort } = at;
    const { kind, ...rest } = line;
    const ends = { localAddress, localPort, remoteAddress, remotePort };
    to.write(`${JSON.stringify({ event: kind, ...ends, ...rest })}\n`);
  };
  const recorder = new Recorder({ onLine, defer: setImmediate });
  return { recorder, finish: () => recorder.flush() };
}
