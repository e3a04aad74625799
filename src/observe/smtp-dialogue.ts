/** One conversation with an SMTP server over a socket: a reply at a time, with a deadline and an idle timer. */
import type { Duplex } from 'node:stream';
import { createReplyReader, type Reply } from './smtp-parse.ts';

export type Heard =
  | { readonly heard: 'Reply'; readonly reply: Reply }
  | { readonly heard: 'Timeout' | 'Closed' | 'Malformed'; readonly detail: string };

export interface Dialogue {
  /** The next reply; never rejects. */
  readonly hear: () => Promise<Heard>;
  /** Sends one command and awaits its reply. */
  readonly say: (command: string) => Promise<Heard>;
  /** Stops reading, for someone else to go on, and returns how many bytes arrived that no reply accounts for. They are thrown away. */
  readonly release: () => number;
}

export interface DialogueTimes {
  /** In milliseconds of `monotonic()`: no jump of the clock ends a probe. */
  readonly deadline: number;
  readonly idleMs: number;
}

/** A monotonic time for deadlines, in milliseconds. */
export const monotonic = (): number => performance.now();

const unreadLimit = 64 * 1024;

export function openDialogue(stream: Duplex, times: DialogueTimes): Dialogue {
  const reader = createReplyReader();
  let unread: Uint8Array[] = [];
  let unreadBytes = 0;
  let ended: Heard | undefined;
  let wake: (() => void) | undefined;

  const onData = (bytes: Uint8Array): void => {
    unread.push(bytes);
    unreadBytes += bytes.length;
    if (unreadBytes > unreadLimit) stream.pause();
    wake?.();
  };
  const finish = (detail: string): void => {
    ended ??= { heard: 'Closed', detail };
    wake?.();
  };
  const onError = (error: Error): void => finish(`the connection broke: ${error.message}`);
  const onEnd = (): void => finish('the server closed the connection');
  stream.on('data', onData);
  stream.on('error', onError);
  stream.on('end', onEnd);
  stream.on('close', onEnd);

  const take = (): Heard | undefined => {
    for (let bytes = unread.shift(); bytes !== undefined; bytes = unread.shift()) {
      unreadBytes -= bytes.length;
      const result = reader.push(bytes);
      if (result.state === 'Malformed') return { heard: 'Malformed', detail: result.detail };
      if (result.state === 'More') continue;
      if (result.rest.length > 0) {
        unread.unshift(result.rest);
        unreadBytes += result.rest.length;
      }
      return { heard: 'Reply', reply: result.reply };
    }
    stream.resume();
    return undefined;
  };

  /** Resolves when something came, or says what ran out. */
  const more = async (): Promise<Heard | undefined> => {
    const left = times.deadline - monotonic();
    const overall = left <= times.idleMs;
    const { promise, resolve } = Promise.withResolvers<Heard | undefined>();
    const detail = overall ? 'it took too long in all' : `nothing came for ${times.idleMs / 1000} s`;
    const timer = setTimeout(() => resolve({ heard: 'Timeout', detail }), Math.max(0, Math.min(left, times.idleMs)));
    wake = () => resolve(undefined);
    const timeout = await promise;
    wake = undefined;
    clearTimeout(timer);
    return timeout;
  };

  const hear = async (): Promise<Heard> => {
    for (;;) {
      // A server that never stops talking is left all the same.
      if (times.deadline <= monotonic()) return { heard: 'Timeout', detail: 'it took too long in all' };
      const heard = take() ?? ended ?? (await more());
      if (heard !== undefined) return heard;
    }
  };

  const say = async (command: string): Promise<Heard> => {
    if (ended !== undefined) return ended;
    stream.write(`${command}\r\n`);
    return hear();
  };

  const release = (): number => {
    const left = unreadBytes;
    unread = [];
    unreadBytes = 0;
    stream.off('data', onData);
    stream.off('end', onEnd);
    stream.off('close', onEnd);
    // An error after this is told by whoever has the stream now; without a listener it would end the program.
    return left;
  };
  return { hear, say, release };
}
