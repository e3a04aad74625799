import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { problemTypeOf, readProblem, retryAfterSeconds } from '../../src/apply/acme-problem.ts';
import { newAccountKey } from '../../src/apply/acme-keys.ts';
import { type Acme, createAcme } from '../../src/apply/acme.ts';
import type { MailsealError } from '../../src/errors.ts';
import { KubeError } from '../../src/kube/error.ts';
import type { StoredOrder } from '../../src/plan/state.ts';
import { makeCa } from '../pki/certificates.ts';
import { type AcmeStandIn, problem, type StandInAnswer, startAcmeStandIn } from './acme-stand-in.ts';

const key = newAccountKey();
const accountUrl = 'https://localhost/account/1';
let server: AcmeStandIn;
let acme: Acme;

beforeEach(async () => {
  server = await startAcmeStandIn((base) => ({
    '/account': { status: 201, headers: { location: `${base}/account/1` }, body: { status: 'valid' } },
    '/new-order': { status: 201, headers: { location: `${base}/order/1` }, body: orderAt(base, 'pending') },
    '/authz/1': { body: authorizationAt(base) },
    '/order/1': { body: orderAt(base, 'pending') },
    '/challenge/1': { body: {} },
    '/finalize/1': { body: orderAt(base, 'valid') },
    '/cert/1': { body: '-----BEGIN CERTIFICATE-----\n' },
  }));
  acme = open({ accountUrl });
});
afterEach(async () => {
  await acme.close();
  await server.stop();
});

function open(more: Partial<Parameters<typeof createAcme>[0]> = {}): Acme {
  const { directoryUrl, caBundle } = server;
  return createAcme({ directoryUrl, caBundle, accountKeyPem: key, timeoutMs: 2000, ...more });
}

const orderAt = (base: string, status: string): object => ({
  status,
  authorizations: [`${base}/authz/1`],
  finalize: `${base}/finalize/1`,
  expires: '2030-01-01T00:00:00Z',
  ...(status === 'valid' ? { certificate: `${base}/cert/1` } : {}),
});
const authorizationAt = (base: string): object => ({
  identifier: { type: 'dns', value: 'mx.example.com' },
  status: 'pending',
  challenges: [
    { type: 'http-01', url: `${base}/other`, token: 'other' },
    { type: 'dns-01', url: `${base}/challenge/1`, token: 'token', status: 'pending' },
  ],
});
const base = (): string => server.directoryUrl.replace('/dir', '');
const reject = async (promise: Promise<unknown>): Promise<MailsealError> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as MailsealError,
  );

describe('an order', () => {
  test('is plain JSON, made with one nonce fetched and all others taken from answers', async () => {
    const order = await acme.newOrder(['mx.example.com']);
    expect(JSON.parse(JSON.stringify(order))).toEqual(order);
    expect(order).toMatchObject({
      url: `${base()}/order/1`,
      names: ['mx.example.com'],
      authorizations: [
        {
          name: 'mx.example.com',
          challengeUrl: `${base()}/challenge/1`,
          txtName: '_acme-challenge.mx.example.com',
          status: 'pending',
        },
      ],
      expires: '2030-01-01T00:00:00Z',
    });
    expect(order.authorizations[0]?.txtValue).toMatch(/^[\w-]{43}$/);
    await acme.answer(order);
    expect(await acme.finalize(order, newAccountKey(), ['mx.example.com'])).toEqual({ status: 'valid' });
    expect((await acme.certificate(order)).chain).toContain('BEGIN CERTIFICATE');
    expect(server.requests).toEqual([
      'GET /dir',
      'HEAD /nonce',
      'POST /new-order',
      'POST /authz/1',
      'POST /challenge/1',
      'POST /finalize/1',
      'POST /cert/1',
    ]);
    expect(new Set(server.nonces).size).toBe(server.nonces.length);
  });

  test('goes on after a crash from what was stored, and proves the same', async () => {
    const order = JSON.parse(JSON.stringify(await acme.newOrder(['mx.example.com']))) as StoredOrder;
    await acme.close();
    acme = open({ accountUrl });
    expect(await acme.newOrder(['mx.example.com'])).toEqual(order);
    server.next('/order/1', { body: orderAt(base(), 'valid') });
    acme = open({ accountUrl });
    expect((await acme.certificate(order)).chain).toContain('BEGIN CERTIFICATE');
  });

  test('that nobody could store is given again; once its challenges are answered another is opened', async () => {
    const order = await acme.newOrder(['mx.example.com']);
    expect(await acme.newOrder(['mx.example.com'])).toEqual(order);
    await acme.answer(order);
    await acme.newOrder(['mx.example.com']);
    server.next('/order/1', { body: orderAt(base(), 'invalid') });
    await acme.newOrder(['mx.example.com']);
    expect(server.requests.filter((one) => one === 'POST /new-order')).toHaveLength(3);
  });

  test.each<readonly [string, number, string, number]>([
    ['is gone on with where the CA could not be asked for its challenges', 503, 'serverInternal', 1],
    ['is left where the CA knows its challenges no more', 404, 'malformed', 2],
  ])('%s', async (_, status, type, opened) => {
    server.next('/authz/1', { status, body: problem(type, 'not now') });
    await reject(acme.newOrder(['mx.example.com']));
    expect(await acme.newOrder(['mx.example.com'])).toMatchObject({ url: `${base()}/order/1` });
    expect(server.requests.filter((one) => one === 'POST /new-order')).toHaveLength(opened);
  });

  test('carries profile and replaces, and is asked for again without the latter once it is spent', async () => {
    acme = open({ accountUrl, profile: 'shortlived' });
    server.next('/new-order', { status: 409, body: problem('alreadyReplaced', 'done before') });
    await acme.newOrder(['mx.example.com'], { replaces: 'aki.serial' });
    const identifiers = [{ type: 'dns', value: 'mx.example.com' }];
    expect(server.payloads.slice(0, 2)).toEqual([
      { identifiers, profile: 'shortlived', replaces: 'aki.serial' },
      { identifiers, profile: 'shortlived' },
    ]);
  });

  test.each(['malformed', 'unauthorized', 'conflict'])(
    'is asked for again without what it replaces where the CA finds that %s',
    async (type) => {
      server.next('/new-order', { status: 400, body: problem(type, 'not that certificate') });
      await acme.newOrder(['mx.example.com'], { replaces: 'aki.serial' });
      expect(server.requests.filter((one) => one === 'POST /new-order')).toHaveLength(2);
    },
  );

  test('says nothing of what it replaces to a CA without renewal information', async () => {
    server.next('/dir', { body: { newNonce: `${base()}/nonce`, newOrder: `${base()}/new-order` } });
    await acme.newOrder(['mx.example.com'], { replaces: 'aki.serial' });
    expect(server.payloads[0]).toEqual({ identifiers: [{ type: 'dns', value: 'mx.example.com' }] });
    expect(await acme.renewalInfo('aki.serial')).toBeUndefined();
  });

  test('is not asked for before a place in the pace of the account, and tells it what the CA says', async () => {
    const told: unknown[] = [];
    const pace = {
      admit: (names: readonly string[], rank: string) => void told.push([names, rank]),
      refused: (_names: readonly string[], error: unknown) => void told.push((error as MailsealError).reason),
    };
    acme = open({ accountUrl, pace });
    await acme.newOrder(['mx.example.com'], { rank: 'Renewal' });
    // The same order is given again, and needs no place.
    await acme.newOrder(['mx.example.com'], { rank: 'Renewal' });
    server.next('/new-order', { status: 429, body: problem('rateLimited', 'too many') });
    await reject(acme.newOrder(['other.example.com']));
    expect(told).toEqual([[['mx.example.com'], 'Renewal'], [['other.example.com'], 'First'], 'ACMEThrottled']);
  });

  test('counts each request as it is sent', async () => {
    const counted: string[] = [];
    acme = open({ accountUrl, onRequest: (method, resource) => counted.push(`${method} ${resource}`) });
    await acme.poll(await acme.newOrder(['mx.example.com']));
    expect(counted).toEqual(['GET directory', 'HEAD newNonce', 'POST newOrder', 'POST authorization', 'POST order']);
  });

  test('that is invalid says what the CA found at which name', async () => {
    const order = await acme.newOrder(['mx.example.com']);
    server.next('/order/1', { body: { ...orderAt(base(), 'invalid'), error: problem('unauthorized', 'some failed') } });
    const failed = { type: 'dns-01', url: `${base()}/c`, token: 't', error: problem('dns', 'NXDOMAIN looking up TXT') };
    server.next('/authz/1', { body: { ...authorizationAt(base()), status: 'invalid', challenges: [failed] } });
    expect(await acme.poll(order)).toEqual({ status: 'invalid', detail: 'mx.example.com: NXDOMAIN looking up TXT' });
  });

  test('that the CA has lost is gone, and can be neither finalized nor fetched', async () => {
    const order = { ...(await acme.newOrder(['mx.example.com'])), url: `${base()}/order/2` };
    expect(await acme.poll(order)).toEqual({ status: 'gone', detail: 'the CA no longer knows the order' });
    for (const asked of [acme.finalize(order, newAccountKey(), order.names), acme.certificate(order)]) {
      expect(await reject(asked)).toMatchObject({ reason: 'OrderInvalid' });
    }
  });

  test('of an account that was lost is gone too', async () => {
    const order = await acme.newOrder(['mx.example.com']);
    server.next('/order/1', { status: 403, body: problem('unauthorized', 'the account does not own the order') });
    expect(await acme.poll(order)).toMatchObject({ status: 'gone' });
  });

  test('says how long to wait before the next poll', async () => {
    const order = await acme.newOrder(['mx.example.com']);
    server.next('/order/1', { body: orderAt(base(), 'processing'), headers: { 'retry-after': '7' } });
    expect(await acme.poll(order)).toEqual({ status: 'processing', retryAfterSeconds: 7 });
    expect(await reject(acme.certificate(order))).toMatchObject({ reason: 'OrderPending', kind: 'Retry' });
  });
});

describe('a chain', () => {
  let [first, other] = ['', ''];
  beforeAll(async () => {
    const chainOf = async (label: string): Promise<string> => {
      const ca = await makeCa(label);
      return (await ca.issue({ names: ['mx.example.com'] })).cert + ca.intermediate.cert;
    };
    [first, other] = [await chainOf('First'), await chainOf('Other')];
  });
  const fetched = async (preferredChain: string | undefined, link: string, more: readonly StandInAnswer[] = []) => {
    acme = open({ accountUrl, preferredChain });
    const order = await acme.newOrder(['mx.example.com']);
    server.next('/order/1', { body: orderAt(base(), 'valid') });
    await acme.poll(order);
    server.next('/cert/1', { body: first, headers: { link } });
    more.forEach((answer, at) => server.next(`/cert/1/${at + 1}`, answer));
    return acme.certificate(order);
  };
  const links = () =>
    `<${base()}/dir>;rel="index", <${base()}/cert/1/1>;rel="alternate", </cert/1/2>; title="x, y"; rel=alternate`;
  const asked = () => server.requests.filter((one) => one.startsWith('POST /cert/1'));

  test.each([[undefined], ['First root']])('is that of the CA where %s is preferred, at one request', async (name) => {
    expect(await fetched(name, links())).toEqual({ chain: first });
    expect(asked()).toHaveLength(1);
  });

  test('is the one among others that leads where it is preferred to', async () => {
    expect(await fetched('Other root', links(), [{ body: 'rubbish' }, { body: other }])).toEqual({ chain: other });
    expect(asked()).toEqual(['POST /cert/1', 'POST /cert/1/1', 'POST /cert/1/2']);
  });

  test('that is not offered is told of', async () => {
    const note =
      'the CA offers no chain up to No root, which spec.acme.preferredChain asks for, but to First root, Other root';
    const answers = [{ body: other }, { body: first }];
    expect(await fetched('No root', links(), answers)).toEqual({ chain: first, note });
  });

  test('is not sought among others without end', async () => {
    const many = Array.from({ length: 50 }, () => `<${base()}/cert/1/1>;rel="alternate"`).join(', ');
    expect(
      await fetched(
        'No root',
        many,
        Array.from({ length: 50 }, () => ({ body: other })),
      ),
    ).toMatchObject({ chain: first });
    expect(asked()).toHaveLength(9);
  });
});

describe('renewal information', () => {
  const window = { start: '2030-01-02T00:00:00Z', end: '2030-01-03T00:00:00Z' };
  const times = { start: Date.parse(window.start), end: Date.parse(window.end) };
  test.each<[string, StandInAnswer, object]>([
    ['a window', { body: { suggestedWindow: window } }, { window: times }],
    [
      'a reason and a time for the next question',
      {
        body: { suggestedWindow: window, explanationURL: 'https://ca.example/why' },
        headers: { 'retry-after': '21600' },
      },
      { window: { ...times, explanationUrl: 'https://ca.example/why' }, retryAfterSeconds: 21_600 },
    ],
    [
      'a reason that is no web page',
      { body: { suggestedWindow: window, explanationURL: 'https://ca.example/ \u001b[31m' } },
      { window: times },
    ],
  ])('is %s, asked for without an account', async (_, answer, expected) => {
    server.next('/renewal-info/aki.serial', answer);
    expect(await open().renewalInfo('aki.serial')).toEqual(expected);
    expect(server.requests.at(-1)).toBe('GET /renewal-info/aki.serial');
  });

  test.each<[string, StandInAnswer]>([
    ['names no window', { body: {} }],
    ['is null', { headers: { 'content-type': 'application/json' }, body: 'null' }],
    ['ends before it begins', { body: { suggestedWindow: { start: window.end, end: window.start } } }],
    ['is not known', { status: 404, body: problem('malformed', 'no such certificate') }],
  ])('that %s is an error', async (_, answer) => {
    server.next('/renewal-info/aki.serial', answer);
    expect(await reject(acme.renewalInfo('aki.serial'))).toMatchObject({ reason: expect.stringMatching('^ACME') });
  });
});

describe('a nonce', () => {
  test('that is refused is replaced by the one that comes with the refusal', async () => {
    const refused = { status: 400, body: problem('badNonce', 'stale') };
    server.next('/new-order', refused, refused, refused);
    await acme.newOrder(['mx.example.com']);
    expect(server.requests.filter((request) => request === 'HEAD /nonce')).toHaveLength(1);
  });

  test('that is always refused ends in a failure that passes', async () => {
    server.next(
      '/new-order',
      ...Array.from({ length: 140 }, () => ({ status: 400, body: problem('badNonce', 'stale') })),
    );
    expect(await reject(acme.newOrder(['mx.example.com']))).toMatchObject({ reason: 'ACMEUnavailable', kind: 'Retry' });
  });
});

describe('a refusal', () => {
  // A date is counted from when the answer is given, however long the tests before it took.
  const later = {
    get 'retry-after'(): string {
      return new Date(Date.now() + 90_000).toUTCString();
    },
  };
  test.each<[string, { status: number; body?: unknown; headers?: Record<string, string> }, object, string]>([
    [
      'for the rate',
      { status: 429, body: problem('rateLimited', 'too many orders.'), headers: { 'retry-after': '3600' } },
      { reason: 'ACMEThrottled', retryAfterSeconds: 3600 },
      'asks us to wait before the order for mx.example.com: too many orders.',
    ],
    [
      'for a while',
      { status: 503, headers: later },
      { reason: 'ACMEThrottled', retryAfterSeconds: expect.closeTo(90, -1) },
      'HTTP status 503',
    ],
    [
      'for a fault of its own',
      { status: 500, body: '<html>' },
      { reason: 'ACMEUnavailable', kind: 'Retry' },
      'HTTP status 500',
    ],
    [
      'of a name',
      {
        status: 400,
        body: problem('rejectedIdentifier', 'not these', {
          subproblems: [{ identifier: { value: 'mx.example.com' }, detail: 'forbidden' }],
        }),
      },
      { reason: 'ACMERefused', kind: 'Stalled' },
      'not these; mx.example.com: forbidden',
    ],
    [
      'by CAA',
      { status: 403, body: problem('caa', 'CAA forbids') },
      { reason: 'ACMERefused', kind: 'Retry' },
      'Allow this CA',
    ],
    [
      'of a profile',
      { status: 400, body: problem('invalidProfile', 'no such') },
      { reason: 'ACMERefused', kind: 'Stalled' },
      'profile that the CA offers',
    ],
  ])('%s', async (_what, answer, expected, text) => {
    server.next('/new-order', answer);
    const started = performance.now();
    const error = await reject(acme.newOrder(['mx.example.com']));
    expect(error).toMatchObject(expected);
    expect(error.message).toContain(text);
    expect(performance.now() - started).toBeLessThan(1500);
    expect(server.requests.filter((request) => request === 'POST /new-order')).toHaveLength(1);
  });

  test('of the account can be told from others', async () => {
    server.next('/new-order', { status: 400, body: problem('accountDoesNotExist', 'no account') });
    expect(problemTypeOf(await reject(acme.newOrder(['mx.example.com'])))).toBe('accountDoesNotExist');
  });

  test.each([
    ['no order', 'text'],
    ['an unknown status', { status: 'odd', authorizations: [], finalize: 'x' }],
    ['no authorizations', { status: 'pending', finalize: 'x' }],
    ['no URL to finalize', { status: 'pending', authorizations: [] }],
  ])('is made of %s', async (_what, body) => {
    server.next('/new-order', { status: 201, headers: { location: `${base()}/order/1` }, body });
    expect(await reject(acme.newOrder(['mx.example.com']))).toMatchObject({ reason: 'ACMEUnavailable' });
  });
});

describe('a CA that can not be asked', () => {
  test('because it is not trusted, says so without a word about the account', async () => {
    acme = open({ accountUrl, caBundle: undefined });
    const error = await reject(acme.newOrder(['mx.example.com']));
    expect(error).toMatchObject({ reason: 'ACMEUnavailable', kind: 'Retry' });
    expect(error.message).toMatch(/can't be reached for its directory: .*certificate/);
    expect(server.requests).toEqual([]);
  });

  test('because it is away, is asked again when it is back', async () => {
    server.next('/dir', { status: 500 });
    expect(await reject(acme.newOrder(['mx.example.com']))).toMatchObject({ reason: 'ACMEUnavailable' });
    expect(await acme.newOrder(['mx.example.com'])).toMatchObject({ names: ['mx.example.com'] });
  });

  test.each([
    [
      'broken JSON',
      { headers: { 'content-type': 'application/json' }, body: '{"newNonce":' },
      /can't be read.*no JSON/,
    ],
    ['2 MiB', { body: { pad: 'x'.repeat(2 ** 21) } }, /can't be read.*longer than 1 MiB/],
    ['no object', { headers: { 'content-type': 'application/json' }, body: 'null' }, /gives no ACME directory/],
    ['a web page', { headers: { 'content-type': 'text/html' }, body: '<html>' }, /gives no ACME directory/],
    ['places that are none', { body: { newNonce: 7, newOrder: 'there' } }, /gives no ACME directory/],
  ])('because its directory is %s, says so, and is asked again when it is mended', async (_, answer, words) => {
    server.next('/dir', answer);
    const error = await reject(acme.newOrder(['mx.example.com']));
    expect(error).toMatchObject({ reason: 'ACMEUnavailable', kind: 'Retry' });
    expect(error.message).toMatch(words);
    expect(await acme.newOrder(['mx.example.com'])).toMatchObject({ names: ['mx.example.com'] });
  });

  test('because there is no account yet, says so', async () => {
    acme = open();
    expect(await reject(acme.newOrder(['mx.example.com']))).toMatchObject({ reason: 'IssuerNotReady' });
    expect(await acme.register({ email: 'me@example.com' })).toBe(`${base()}/account/1`);
    expect(server.payloads[0]).toEqual({ termsOfServiceAgreed: true, contact: ['mailto:me@example.com'] });
    expect(await acme.newOrder(['mx.example.com'])).toMatchObject({ names: ['mx.example.com'] });
  });
});

describe('reading', () => {
  test.each([
    ['12', 12],
    ['0', 0],
    ['Thu, 01 Jan 1970 00:01:40 GMT', 90],
    ['Thu, 01 Jan 1970 00:00:00 GMT', undefined],
    ['-1', undefined],
    ['soon', undefined],
    [undefined, undefined],
  ])('Retry-After %s gives %s seconds', (header, expected) => {
    expect(retryAfterSeconds(header, 10_000)).toBe(expected);
  });

  test.each([[null], ['text'], [{}], [{ type: 7, detail: [], subproblems: [null, 3] }], [{ subproblems: {} }]])(
    'the problem %j never throws',
    (value) => {
      expect(readProblem(value, 400)).toMatchObject({ type: '', status: 400 });
    },
  );
});

test('whoever may not write asks the CA for nothing, and still reads', async () => {
  let leads = true;
  const mayWrite = (): void => {
    if (!leads) throw new KubeError(0, 'NotLeader', 'another leads');
  };
  const fenced = open({ accountUrl, mayWrite });
  const order = await fenced.newOrder(['mx.example.com']);
  leads = false;
  const before = server.requests.length;
  for (const write of [
    () => fenced.newOrder(['other.example.com']),
    () => fenced.answer(order),
    () => fenced.finalize(order, newAccountKey(), ['mx.example.com']),
  ]) {
    await expect(write()).rejects.toMatchObject({ reason: 'NotLeader' });
  }
  expect(server.requests.slice(before).filter((request) => request.startsWith('POST'))).toEqual([]);
  expect(await fenced.poll(order)).toMatchObject({ status: 'pending' });
  await fenced.close();
});

test('a request that waited for its connection is not sent when another leads by then', async () => {
  let leads = true;
  const mayWrite = (): void => {
    if (!leads) throw new KubeError(0, 'NotLeader', 'another leads');
  };
  const fenced = open({
    accountUrl,
    mayWrite,
    // Counted when it is made, before there is a connection for it.
    onRequest: (_, resource) => {
      if (resource === 'newOrder') leads = false;
    },
  });
  const before = server.requests.length;
  await expect(fenced.newOrder(['mx.example.com'])).rejects.toMatchObject({ reason: 'NotLeader' });
  expect(server.requests.slice(before).filter((request) => request.startsWith('POST'))).toEqual([]);
  await fenced.close();
});
