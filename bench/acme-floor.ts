/** The least that a certificate takes of ACME: six requests signed by hand, one nonce from each answer for the next. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Agent, request } from 'undici';

const base64url = (value: string | Buffer): string => Buffer.from(value).toString('base64url');

/** Pebble answers nobody who does not say who he is. */
const plain = { 'user-agent': 'floor' };

interface Answer {
  readonly location: string;
  readonly body: string;
}

interface Order {
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
}

export interface FloorClient {
  /** One certificate for these names by a request (DER, base64url) that was made before; resolves with the chain. */
  readonly issue: (names: readonly string[], csr: string) => Promise<string>;
}

export async function createFloorClient(directoryUrl: string, dispatcher: Agent): Promise<FloorClient> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicJwk(privateKey);
  const directory = (await (await request(directoryUrl, { dispatcher, headers: plain })).body.json()) as Record<
    string,
    string
  >;
  const nonces: string[] = [];

  const nonce = async (): Promise<string> => {
    const kept = nonces.pop();
    if (kept !== undefined) return kept;
    const { headers, body } = await request(directory['newNonce'] ?? '', {
      dispatcher,
      method: 'HEAD',
      headers: plain,
    });
    await body.dump();
    return String(headers['replay-nonce']);
  };
  const postAs = async (who: object, url: string, payload: object | undefined): Promise<Answer> => {
    const head = base64url(JSON.stringify({ alg: 'ES256', url, nonce: await nonce(), ...who }));
    const content = payload === undefined ? '' : base64url(JSON.stringify(payload));
    const signature = sign('sha256', Buffer.from(`${head}.${content}`), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    const { statusCode, headers, body } = await request(url, {
      dispatcher,
      method: 'POST',
      headers: { ...plain, 'content-type': 'application/jose+json' },
      body: JSON.stringify({ protected: head, payload: content, signature: base64url(signature) }),
    });
    nonces.push(String(headers['replay-nonce']));
    const text = await body.text();
    if (statusCode >= 400) throw new Error(`${url}: ${statusCode} ${text}`);
    return { location: String(headers['location']), body: text };
  };
  const { location: kid } = await postAs({ jwk }, directory['newAccount'] ?? '', { termsOfServiceAgreed: true });
  const post = (url: string, payload: object | undefined): Promise<Answer> => postAs({ kid }, url, payload);

  /** Asks until the order is past the states that are named; the CA is on this machine. */
  const past = async (url: string, states: readonly string[]): Promise<Order> => {
    for (;;) {
      const order = JSON.parse((await post(url, undefined)).body) as Order;
      if (!states.includes(order.status)) return order;
    }
  };
  return {
    issue: async (names, csr) => {
      const identifiers = names.map((value) => ({ type: 'dns', value }));
      const { location, body } = await post(directory['newOrder'] ?? '', { identifiers });
      const { authorizations } = JSON.parse(body) as Order;
      for (const url of authorizations) {
        const read = JSON.parse((await post(url, undefined)).body) as { challenges: { type: string; url: string }[] };
        const dns = read.challenges.find(({ type }) => type === 'dns-01');
        await post(dns?.url ?? '', {});
      }
      const ready = await past(location, ['pending']);
      await post(ready.finalize, { csr });
      const { certificate = '' } = await past(location, ['ready', 'processing']);
      return (await post(certificate, undefined)).body;
    },
  };
}

function publicJwk(key: KeyObject): object {
  const { kty, crv, x, y } = createPublicKey(key).export({ format: 'jwk' });
  return { kty, crv, x, y };
}
