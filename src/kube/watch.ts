import type { IncomingMessage } from 'node:http';
import { fromStatus, isRecord, KubeError } from './error.ts';
import { asKubeError } from './transport.ts';
import type { KubeObject } from './types.ts';

/** One line of a watch. A bookmark's object carries its resourceVersion only. */
export interface WatchEvent<T extends KubeObject = KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

export interface WatchOptions<T extends KubeObject = KubeObject> {
  readonly onEvent: (event: WatchEvent<T>) => void;
  /** Called when the server has accepted the watch. */
  readonly onOpen?: () => void;
  readonly signal: AbortSignal;
  /** After which the server ends the watch by itself. */
  readonly timeoutSeconds: number;
}

/** An object holds at most 1.5 MiB in etcd; twice that for its escapes in JSON. */
const longestLine = 4 * 1024 * 1024;

/**
 * Reads events until the server ends the stream. Rejects with KubeError: of an ERROR event's status (410 `Expired`),
 * `BadAnswer` for what is no event, `Unreachable` when the connection breaks. `onEvent` may throw: that ends the watch.
 */
export function readEvents<T extends KubeObject>(
  message: IncomingMessage,
  onEvent: (event: WatchEvent<T>) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let rest = '';
    const fail = (error: unknown): void => {
      reject(error);
      message.destroy();
    };
    message.setEncoding('utf8');
    message.on('data', (chunk: string) => {
      try {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        if (rest.length > longestLine) throw new KubeError(0, 'TooLarge', `a watch event exceeds ${longestLine} bytes`);
        for (const line of lines) if (line !== '') onEvent(parseEvent<T>(line));
      } catch (error) {
        fail(error);
      }
    });
    message.once('end', resolve);
    message.once('error', (error) => fail(asKubeError(error, 'the server', false)));
    message.once('close', () => fail(asKubeError(new Error('the watch was cut off'), 'the server', false)));
  });
}

function parseEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw new KubeError(0, 'BadAnswer', 'the Kubernetes API sent a watch event that is no JSON', { cause: error });
  }
  if (!isRecord(event) || !isRecord(event['object'])) {
    throw new KubeError(0, 'BadAnswer', 'the Kubernetes API sent a watch event without an object');
  }
  switch (event['type']) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type: event['type'], object: event['object'] as unknown as T };
    case 'ERROR':
      throw fromStatus(event['object'], 500);
    default:
      throw new KubeError(0, 'BadAnswer', `the Kubernetes API sent a watch event of type ${String(event['type'])}`);
  }
}
