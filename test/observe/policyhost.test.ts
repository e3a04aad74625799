import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { fetchPolicy, type PolicyFetchOptions } from '../../src/observe/policyhost.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import type { PolicyFetch } from '../../src/pki/observed.ts';
import { type Issued, makeCa, type TestCa } from '../pki/certificates.ts';

const policy = 'version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n';
let ca: TestCa;
let leaf: Issued;
beforeAll(async () => {
  ca = await makeCa();
  leaf = await ca.issue({ names: ['mta-sts.example.com'] });
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server | undefined;
let requests: IncomingMessage[] = [];
let serverNames: string[] = [];
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function fetchFrom(
  answer: Answer,
  options: Partial<PolicyFetchOptions> = {},
  chain: readonly Issued[] = [leaf, ca.intermediate],
): Promise<PolicyFetch> {
  [requests, serverNames] = [[], []];
  const cert = chain.map((issued) => issued.cert).join('');
  const SNICallback = (name: string, done: (error: Error | null) => void): void => {
    serverNames.push(name);
    done(null);
  };
  server = createServer({ key: chain[0]?.key, cert, SNICallback }, (request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return fetchPolicy({
    domain: 'example.com',
    address: '127.0.0.1',
    port,
    timeoutMs: 5000,
    trust: [ca.root.cert],
    ...options,
  });
}

const page =
  (headers: Record<string, string> = {}, body: string = policy, status = 200): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body);
  };

describe('a policy', () => {
  test('is fetched by address, with the host of the policy in SNI and Host', async () => {
    const fetched = await fetchFrom(page({ 'content-type': 'text/plain; charset=utf-8', 'mailseal-revision': 'r7' }));
    expect(fetched).toMatchObject({
      outcome: 'Fetched',
      body: policy,
      contentType: 'text/plain; charset=utf-8',
      revision: 'r7',
      spkiSha256: spkiSha256OfKey(leaf.key),
    });
    expect(serverNames).toEqual(['mta-sts.example.com']);
    expect(requests.map(({ method, url, headers }) => [method, url, headers.host])).toEqual([
      ['GET', '/.well-known/mta-sts.txt', 'mta-sts.example.com'],
    ]);
  });

  test('without the header has no revision', async () => {
    expect(await fetchFrom(page())).not.toHaveProperty('revision');
  });

  test('of another media type is returned with it, for the caller to judge', async () => {
    expect(await fetchFrom(page({ 'content-type': 'text/html' }))).toMatchObject({
      outcome: 'Fetched',
      contentType: 'text/html',
    });
  });

  test('of exactly the limit is taken', async () => {
    const body = 'a'.repeat(65_536);
    expect(await fetchFrom(page({}, body))).toMatchObject({ outcome: 'Fetched', body });
  });
});

describe('no policy', () => {
  test.each<[string, Answer, string]>([
    [
      'a redirect',
      page({ location: 'https://example.com/policy' }, '', 301),
      'a redirect to https://example.com/policy: senders never follow',
    ],
    ['a temporary redirect', page({ location: '/other' }, '', 307), 'a redirect to /other'],
    ['201', page({}, policy, 201), 'answers 201, not 200'],
    ['204', page({}, '', 204), 'answers 204, not 200'],
    ['404', page({}, 'no', 404), 'answers 404, not 200'],
    ['503', page({}, 'no', 503), 'answers 503, not 200'],
    ['a body that is too long', page({}, 'a'.repeat(65_537)), 'longer than 65536 bytes'],
    [
      'a body that never ends',
      (_request, response) => {
        const more = (): void =>
          void (response.destroyed || response.write('a'.repeat(9999), () => setImmediate(more)));
        more();
      },
      'longer than 65536 bytes',
    ],
    ['a compressed body', page({ 'content-encoding': 'gzip' }), 'encoded as gzip'],
    [
      'a body cut short',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('version', () => response.socket?.destroy());
      },
      '',
    ],
    ['no answer', (request) => void request.socket.destroy(), 'broke the connection off'],
  ])('comes of %s', async (_what, answer, detail) => {
    const fetched = await fetchFrom(answer);
    expect(fetched.outcome).toBe('Failed');
    if (fetched.outcome === 'Failed') expect(fetched.detail).toContain(detail);
    expect(requests).toHaveLength(1);
  });

  test.each<[string, Answer]>([
    ['a mute server', () => undefined],
    [
      'a dripping server',
      (_request, response) => {
        const drip = setInterval(() => (response.destroyed ? clearInterval(drip) : response.write('a')), 20);
      },
    ],
  ])('comes of %s in time', async (_what, answer) => {
    const started = performance.now();
    const fetched = await fetchFrom(answer, { timeoutMs: 300 });
    expect(fetched).toMatchObject({ outcome: 'Failed', detail: 'no whole answer within 0.3 s' });
    expect(performance.now() - started).toBeLessThan(3000);
  });

  test('comes of nobody there', async () => {
    await fetchFrom(page());
    const address = server?.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await new Promise((resolve) => server?.close(resolve));
    const fetched = await fetchPolicy({ domain: 'example.com', address: '127.0.0.1', port });
    expect(fetched).toMatchObject({ outcome: 'Failed', detail: 'connection refused: nothing listens there' });
  });
});

describe('a certificate', () => {
  test.each<[string, () => Promise<readonly Issued[]>, string]>([
    [
      'in another name',
      async () => [await ca.issue({ names: ['example.com'] }), ca.intermediate],
      '(NameMismatch): the certificate names example.com',
    ],
    ['without its intermediate', async () => [leaf], '(IncompleteChain)'],
    [
      'that has expired',
      async () => [await ca.issue({ names: ['mta-sts.example.com'], notAfter: Date.now() - 1000 }), ca.intermediate],
      '(Expired)',
    ],
    [
      'of an unknown CA',
      async () => {
        const other = await makeCa('Other');
        return [await other.issue({ names: ['mta-sts.example.com'] }), other.intermediate];
      },
      '(Untrusted)',
    ],
  ])('%s fails before anything is asked, unless it is not to be verified', async (_what, chain, detail) => {
    const shown = await chain();
    const strict = await fetchFrom(page(), {}, shown);
    expect(strict.outcome === 'Failed' ? strict.detail : strict.outcome).toContain(detail);
    expect(requests).toHaveLength(0);
    server?.close();
    expect(await fetchFrom(page(), { verify: false }, shown)).toMatchObject({ outcome: 'Fetched', body: policy });
  });
});
