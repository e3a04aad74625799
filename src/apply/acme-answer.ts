/** What a CA answers, read whole: one value a header, a body of bounded length. */
import type { Dispatcher } from 'undici';
import { messageOf } from '../errors.ts';

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Parsed JSON, or text. */
  readonly data: unknown;
}

/** A body that can't be read as what it says it is. */
interface Unreadable {
  readonly unreadable: string;
}

const mostBytes = 1024 * 1024;

export const isUnreadable = (data: unknown): data is Unreadable =>
  typeof data === 'object' && data !== null && 'unreadable' in data;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return { unreadable: `it is no JSON (${messageOf(error)})` } satisfies Unreadable;
  }
}

async function readBody(body: Dispatcher.ResponseData['body'], contentType: string): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) return { unreadable: 'it is longer than 1 MiB' } satisfies Unreadable;
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return /[/+]json\b/.test(contentType) && text !== '' ? parseJson(text) : text;
}

/** Rejects where the connection breaks; of a body that can't be read, `data` says so: `isUnreadable`. */
export async function readAnswer(answer: Dispatcher.ResponseData): Promise<WireAnswer> {
  const single = Object.entries(answer.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ]);
  const headers = Object.fromEntries(single) as WireAnswer['headers'];
  return { status: answer.statusCode, headers, data: await readBody(answer.body, headers['content-type'] ?? '') };
}
