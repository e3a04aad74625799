/** The stand-in refuses what Cloudflare refuses, whoever asks: a provider that passes on it is no luckier elsewhere. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CloudflareStandIn, startCloudflare } from './server.ts';
import { bytesOf, contentOf } from './text.ts';
import type { Zone } from './zone.ts';

let server: CloudflareStandIn;
let zone: Zone;
let now = 1_800_000_000_000;
beforeAll(async () => {
  server = await startCloudflare(() => now);
});
afterAll(() => server.stop());
beforeEach(() => {
  now += 600_000;
  zone = server.addZone('example.test');
});

interface Said {
  readonly status: number;
  readonly headers: Headers;
  /** Codes of all errors, those of the chain first. */
  readonly codes: readonly number[];
  readonly result: unknown;
  readonly info: unknown;
}

async function ask(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Said> {
  const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(server.endpoint + path, {
    ...sent,
    headers: headers ?? { authorization: `Bearer ${server.token}` },
  });
  interface Errors {
    readonly errors: readonly { readonly code: number; readonly error_chain?: readonly { readonly code: number }[] }[];
  }
  const answer = (await response.json()) as Errors & { readonly result: unknown; readonly result_info?: unknown };
  const codes = answer.errors.flatMap(({ code, error_chain: chain = [] }) => [...chain.map(({ code }) => code), code]);
  return { status: response.status, headers: response.headers, codes, result: answer.result, info: answer.result_info };
}
const batch = (body: unknown): Promise<Said> => ask(`/zones/${zone.id}/dns_records/batch`, body);
const post = (record: object): Promise<Said> => batch({ posts: [record] });

const a = { name: 'a.example.test', type: 'A', ttl: 300, content: '192.0.2.1' };
const txt = { name: 't.example.test', type: 'TXT', ttl: 300, content: '"x"' };
const data = { usage: 3, selector: 1, matching_type: 1, certificate: 'ab'.repeat(32) };
const tlsa = { name: '_25._tcp.example.test', type: 'TLSA', ttl: 300, data };

describe('a record', () => {
  test.each<readonly [string, object, number]>([
    ['a TLSA by its content', { ...tlsa, data: undefined, content: '3 1 1 ab' }, 9101],
    ['a TLSA without a certificate', { ...tlsa, data: { ...data, certificate: undefined } }, 9101],
    ['a TLSA that is not hex', { ...tlsa, data: { ...data, certificate: 'xyz' } }, 9103],
    ['a TLSA with a usage beyond an octet', { ...tlsa, data: { ...data, usage: 256 } }, 9102],
    ['a TTL of 0', { ...a, ttl: 0 }, 9021],
    ['a TTL of 2', { ...a, ttl: 2 }, 9021],
    ['a TTL of 59', { ...a, ttl: 59 }, 9021],
    ['a TTL of more than a day', { ...a, ttl: 86_401 }, 9021],
    ['no TTL', { ...a, ttl: undefined }, 9021],
    ['no type', { ...a, type: undefined }, 9004],
    ['no name', { ...a, name: undefined }, 9000],
    ['no content', { ...a, content: undefined }, 9003],
    ['a name outside of the zone', { ...a, name: 'a.example.net' }, 9000],
    ['a name that ends as the zone does', { ...a, name: 'notexample.test' }, 9000],
    ['an address that is none', { ...a, content: '192.0.2.256' }, 9005],
    ['an IPv6 address in an A record', { ...a, content: '2001:db8::1' }, 9005],
    ['a target with a blank', { ...a, type: 'CNAME', content: 'a b' }, 9007],
    ['a text that is too long', { ...txt, content: `"${'x'.repeat(4090)}"` }, 9208],
    ['a text whose quotes do not end', { ...txt, content: '"x' }, 9208],
    ['a proxied text', { ...txt, proxied: true }, 9004],
    ['a field that is none', { ...a, ttl_seconds: 300 }, 9207],
  ])('with %s is refused', async (_what, record, code) => {
    expect(await post(record)).toMatchObject({ status: 400, codes: expect.arrayContaining([code]) });
    expect(zone.records()).toEqual([]);
  });

  test('comes back in the API’s own form', async () => {
    expect(await post(tlsa)).toMatchObject({ status: 200 });
    expect(await post({ ...txt, content: 'bare' })).toMatchObject({ status: 200 });
    expect(await post({ ...txt, content: `"${'x'.repeat(300)}"` })).toMatchObject({ status: 200 });
    expect(zone.at(tlsa.name)).toMatchObject([{ content: `3 1 1 ${'AB'.repeat(32)}` }]);
    expect(zone.at(txt.name)).toMatchObject([
      { content: '"bare"' },
      { content: `"${'x'.repeat(255)}" "${'x'.repeat(45)}"` },
    ]);
  });

  test.each<readonly [string, object, object, number]>([
    ['twice', a, a, 81_058],
    ['with the same text in other strings', txt, { ...txt, content: 'x' }, 81_058],
    ['next to an alias', { ...a, type: 'CNAME', content: 'x.test' }, a, 81_054],
    ['as an alias next to an address', a, { ...a, type: 'CNAME', content: 'x.test' }, 81_053],
    [
      'as a second alias',
      { ...a, type: 'CNAME', content: 'x.test' },
      { ...a, type: 'CNAME', content: 'y.test' },
      81_053,
    ],
  ])('does not stand %s', async (_what, first, second, code) => {
    await post(first);
    expect(await post(second)).toMatchObject({ status: 400, codes: [code] });
    expect(zone.records()).toHaveLength(1);
  });

  test('with one name and type holds 8192 characters together with others', async () => {
    const long = (fill: string): object => ({ ...txt, content: `"${fill.repeat(4000)}"` });
    await post(long('a'));
    await post(long('b'));
    expect(await post(long('c'))).toMatchObject({ status: 400, codes: [9209] });
  });
});

describe('a batch', () => {
  test('is done in its order, all of it or nothing', async () => {
    await post(a);
    const [{ id } = { id: '' }] = zone.records();
    const alias = { ...a, type: 'CNAME', content: 'x.test' };
    expect(await batch({ posts: [alias], deletes: [{ id }] })).toMatchObject({ status: 200 });
    const [now] = zone.records();
    const bad = await batch({ deletes: [{ id: now?.id }], posts: [txt, { ...a, ttl: 2 }] });
    expect(bad.status).toBe(400);
    expect(zone.records()).toEqual([now]);
  });

  test.each<readonly [string, () => unknown, number]>([
    ['an unknown list', () => ({ creates: [a] }), 9207],
    ['no list', () => ({ posts: a }), 9207],
    ['an id that is none', () => ({ deletes: [{ id: '../x' }] }), 7003],
    ['no id', () => ({ deletes: [{}] }), 7003],
    ['an id that has gone', () => ({ deletes: [{ id: '0'.repeat(32) }] }), 81_044],
    ['a patch without id', () => ({ patches: [a] }), 7003],
    [
      '201 records',
      () => ({ posts: Array.from({ length: 201 }, (_, at) => ({ ...a, name: `a${at}.example.test` })) }),
      9210,
    ],
  ])('with %s is refused', async (_what, body, code) => {
    expect((await batch(body())).codes).toContain(code);
    expect(zone.records()).toEqual([]);
  });
});

describe('a list', () => {
  test('comes in pages that say where they stand', async () => {
    for (const at of [0, 1, 2, 3, 4]) await post({ ...a, name: `a${at}.example.test` });
    const { info, result } = await ask(`/zones/${zone.id}/dns_records?per_page=2&page=3`);
    expect(info).toEqual({ page: 3, per_page: 2, count: 1, total_count: 5, total_pages: 3 });
    expect(result).toMatchObject([{ name: 'a4.example.test' }]);
  });

  test.each(['per_page=0', 'per_page=5001', 'page=0', 'per_page=x', 'name=a.example.test'])(
    'with %s is refused',
    async (query) => {
      expect((await ask(`/zones/${zone.id}/dns_records?${query}`)).status).toBe(400);
    },
  );

  test('of zones takes no more than 50 at a time', async () => {
    expect((await ask('/zones?per_page=51')).status).toBe(400);
    expect(await ask('/zones?name=example.test')).toMatchObject({ result: [{ id: zone.id }] });
    expect(await ask('/zones?name=example')).toMatchObject({ result: [] });
  });
});

test.each<readonly [string, Readonly<Record<string, string>>, number, number]>([
  ['without a token', {}, 400, 6111],
  ['with a password', { authorization: 'Basic eDp5' }, 400, 6111],
  ['with a token that nobody gave', { authorization: 'Bearer nobody' }, 403, 9109],
])('who comes %s is turned away', async (_what, headers, status, code) => {
  expect(await ask('/zones', undefined, headers)).toMatchObject({ status, codes: expect.arrayContaining([code]) });
});

test('a zone that is not there is no place', async () => {
  expect(await ask(`/zones/${'0'.repeat(32)}/dns_records`)).toMatchObject({ status: 404, codes: [7003, 7000] });
});

test('of 1201 calls within five minutes the last is refused, and all of the next five minutes', async () => {
  const first = await ask('/zones');
  expect(first.headers.get('ratelimit')).toBe('"default";r=1199;t=300');
  for (let at = 0; at < 1199; at += 1) await ask('/zones');
  const refused = await ask('/zones');
  expect(refused).toMatchObject({ status: 429, codes: [971] });
  expect(refused.headers.get('retry-after')).toBe('300');
  now += 299_999;
  expect((await ask('/zones')).headers.get('retry-after')).toBe('1');
  now += 1;
  expect((await ask('/zones')).status).toBe(200);
});

test.each([
  ['"a" "b"', 'ab'],
  ['bare text', 'bare text'],
  [String.raw`"a\"b\\c\065"`, 'a"b\\cA'],
  ['""', ''],
])('the text of %s is read by its strings', (content, text) => {
  expect(bytesOf(content).toString()).toBe(text);
  expect(bytesOf(contentOf(bytesOf(content))).toString()).toBe(text);
});
