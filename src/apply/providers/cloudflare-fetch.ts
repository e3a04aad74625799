/** The `fetch` under Cloudflare's SDK, which by itself reads answers of any length for any time. */

/** What is left out of an answer: it was read as a whole, and is plain by now. */
const spent = ['content-encoding', 'content-length', 'transfer-encoding'];

/**
 * Asks and reads the whole answer before it resolves, so that the SDK's time limit covers the body too. Rejects where
 * the answer is longer than `mostBytes`, or sends us elsewhere: the token is for the endpoint alone.
 */
export const fetchUpTo =
  (mostBytes: number): typeof fetch =>
  async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'error' });
    const body = await readUpTo(response, mostBytes);
    const headers = new Headers(response.headers);
    for (const name of spent) headers.delete(name);
    const { status, statusText } = response;
    return new Response(body.length === 0 ? null : body, { status, statusText, headers });
  };

async function readUpTo(response: Response, mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    // Leaving the loop lets go of the connection.
    if (length > mostBytes) throw new Error(`the answer is longer than ${mostBytes} bytes`);
    parts.push(part);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
