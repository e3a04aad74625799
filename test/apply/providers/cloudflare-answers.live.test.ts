/** Answers that are none, or that say no: each is told apart, bounded, and never taken for an empty zone. */
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createProvider } from '../../../src/apply/providers/index.ts';
import type { Provider, RecordChange } from '../../../src/apply/providers/provider.ts';
import { type CloudflareStandIn, startCloudflare } from '../../lab/cloudflare/server.ts';
import { providerAt } from './cloudflare-ground.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const key = { name: `_mta-sts.${zone}`, type: 'TXT' } as const;
const change: RecordChange = { ...key, before: undefined, after: { ...key, ttl: 300, values: ['v=STSv1; id=1;'] } };

let server: CloudflareStandIn;
let provider: Provider;
beforeEach(async () => {
  server = await startCloudflare();
  server.addZone(zone);
  provider = await providerAt(server, { timeoutMs: 1000 });
  await provider.list(zone, [key]);
});
afterEach(() => server.stop());

const envelope = (...errors: readonly unknown[]): string =>
  JSON.stringify({ success: false, errors, messages: [], result: null });
const record = { id: '0'.repeat(32), name: key.name, type: 'TXT', content: '"x"', ttl: 300, proxied: false };
const page = (result: unknown, info: object = { page: 1, per_page: 500, count: 1, total_count: 1 }): string =>
  JSON.stringify({ success: true, errors: [], messages: [], result, result_info: info });

const json = 'application/json';
test.each<readonly [string, number, string, string]>([
  ['a login page', 200, '<html>log in</html>', 'text/html'],
  ['an empty object', 200, '{}', json],
  ['torn JSON', 200, '{"success":true,"result":[', json],
  ['a list without its place among the pages', 200, page([], {}), json],
  ['a page that was not asked for', 200, page([], { page: 2, total_count: 0 }), json],
  ['records without ids', 200, page([{ ...record, id: undefined }]), json],
  ['ids that lead elsewhere', 200, page([{ ...record, id: '../../user' }]), json],
  ['null for a record', 200, page([null]), json],
  ['more records than a page holds', 200, page(Array.from({ length: 501 }, () => record)), json],
  ['a failure of its own', 502, '<html>bad gateway</html>', 'text/html'],
  ['33 million bytes', 200, page([{ ...record, content: 'x'.repeat(33 * 1024 * 1024) }]), json],
])('%s is no answer: nothing is known of the zone', async (_what, status, body, contentType) => {
  server.answerNext(status, body, contentType);
  await expect(provider.list(zone, [key])).rejects.toMatchObject({ reason: 'ProviderUnavailable', kind: 'Retry' });
});

test.each<readonly [string, number, string, string]>([
  ['a token that is none', 400, envelope({ code: 6003, message: 'Invalid request headers' }), 'ProviderUnauthorized'],
  [
    'a token that it does not know',
    401,
    envelope({ code: 1000, message: 'Invalid API Token' }),
    'ProviderUnauthorized',
  ],
  [
    'a token without the right',
    403,
    envelope({ code: 10_000, message: 'Authentication error' }),
    'ProviderUnauthorized',
  ],
  ['a domain that it bars', 403, envelope({ code: 1038, message: 'You cannot use this API' }), 'ProviderRefused'],
  ['a quota', 400, envelope({ code: 81_045, message: 'The record quota has been exceeded' }), 'ProviderRefused'],
  ['a failure without reasons', 400, 'no', 'ProviderRefused'],
])('%s is named, and only a human can mend it', async (_what, status, body, reason) => {
  // One that knows no id of the zone yet: an old id is looked up again before it is believed.
  const fresh = await providerAt(server);
  server.answerNext(status, body);
  await expect(fresh.list(zone, [key])).rejects.toMatchObject({ reason, kind: 'Stalled' });
});

test('its words are cut, and what is invisible in them is shown', async () => {
  const chain = [{ code: 9005, message: `bad\u202e\n${'x'.repeat(500)}` }];
  server.answerNext(400, envelope({ code: 1004, message: 'DNS Validation Error', error_chain: chain }));
  const refused = String(await provider.list(zone, [key]).catch((error: unknown) => error));
  expect(refused).toMatch(/code 9005.*DNS Validation Error.*code 1004/);
  expect(refused).not.toMatch(/[\u202e\n]/);
  expect(refused.length).toBeLessThan(400);
});

test.each<readonly [string | undefined, number]>([
  ['7', 7],
  ['0', 1],
  ['999999', 3600],
  ['soon', 300],
  [undefined, 300],
])('a pause of %s is one of %d seconds', async (header, seconds) => {
  await withServer(
    (_url, answer) =>
      answer(429, envelope({ code: 971, message: 'slower' }), header === undefined ? {} : { 'retry-after': header }),
    async (other) => {
      const told = { reason: 'ProviderThrottled', retryAfterSeconds: seconds };
      await expect(other.list(zone, [key])).rejects.toMatchObject(told);
    },
  );
});

test('a write that was answered with a failure, or with nothing at all, is in doubt', async () => {
  const doubt = {
    reason: 'ProviderUnavailable',
    message: expect.stringMatching(/the change may or may not have been made/),
  };
  for (const [status, body] of [
    [500, envelope()],
    [200, 'null'],
    [200, '<html>'],
  ] as const) {
    const failing = withServer(
      (url, answer) => {
        if (url.endsWith('/batch')) return answer(status, body);
        const zones = [{ id: 'a'.repeat(32), name: zone, status: 'active' }];
        return answer(200, url.includes('dns_records') ? page([], { page: 1, total_count: 0 }) : page(zones));
      },
      (other) => other.apply(zone, [change]),
    );
    await expect(failing).rejects.toMatchObject(doubt);
  }
});

test('the token goes nowhere else, and who never answers is waited for no longer than a second', async () => {
  const visited: string[] = [];
  await withServer(
    (url, answer) => {
      visited.push(url);
      answer(302, '', { location: '/elsewhere' });
    },
    async (other) => {
      await expect(other.list(zone, [key])).rejects.toMatchObject({ reason: 'ProviderUnavailable' });
    },
  );
  expect(visited).toEqual([expect.stringContaining('/zones?')]);
  const silent = withServer(
    () => undefined,
    (other) => other.list(zone, [key]),
  );
  await expect(silent).rejects.toMatchObject({ message: expect.stringContaining('did not answer in time') });
});

test('of several accounts that claim a zone the active one is written to', async () => {
  const [mine, other] = ['b'.repeat(32), 'a'.repeat(32)];
  const asked: string[] = [];
  const zones = [
    { id: other, name: zone, status: 'moved' },
    { id: mine, name: zone, status: 'active' },
    { id: 'c'.repeat(32), name: `sub.${zone}`, status: 'active' },
  ];
  await withServer(
    (url, answer) => {
      asked.push(url);
      answer(200, url.includes('dns_records') ? page([], { page: 1, total_count: 0 }) : page(zones));
    },
    (provider) => provider.list(zone, [key]),
  );
  expect(asked.at(-1)).toContain(`/zones/${mine}/dns_records?`);
});

test.each<readonly [string, object, string | undefined, string]>([
  ['an endpoint without TLS', { endpoint: 'http://127.0.0.1/' }, 'x', 'InvalidSpec'],
  ['an endpoint with a query', { endpoint: 'https://127.0.0.1/?x=1' }, 'x', 'InvalidSpec'],
  ['no token', {}, undefined, 'CredentialsMissing'],
  ['more than a token', {}, 'Bearer abc', 'CredentialsInvalid'],
])('%s is said before anything is asked', async (_what, cloudflare, token, reason) => {
  const credentials: Readonly<Record<string, string>> = token === undefined ? {} : { 'api-token': token };
  const created = createProvider({ zones: [zone], cloudflare }, credentials, parts());
  await expect(created).rejects.toMatchObject({ reason, kind: 'Stalled' });
});

type Answer = (status: number, body: string, headers?: Readonly<Record<string, string>>) => void;

/** Runs with a provider whose API is a few lines. */
async function withServer<T>(
  respond: (url: string, answer: Answer) => void,
  run: (provider: Provider) => Promise<T>,
): Promise<T> {
  const other: Server = createServer((request, response) =>
    respond(request.url ?? '', (status, body, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
    }),
  );
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  try {
    const cloudflare = { endpoint: `http://127.0.0.1:${port}/client/v4`, plainHttp: true };
    return await run(
      await createProvider({ zones: [zone], cloudflare }, { 'api-token': 'x' }, parts({ timeoutMs: 1000 })),
    );
  } finally {
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  }
}
