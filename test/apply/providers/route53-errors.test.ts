/** Answers of Route 53 as its documentation and its users show them, through the SDK as it is. */
import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Provider, RecordChange } from '../../../src/apply/providers/provider.ts';
import { createRoute53, fromSpec } from '../../../src/apply/providers/route53.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { changeXml, errorXml, pageXml, refusedXml, zonesXml } from '../../lab/route53-xml.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const name = `_mta-sts.${zone}`;
const wanted = { name, type: 'TXT', ttl: 300, values: ['v=STSv1; id=1;'] } as const;

/** What the server answers a list and a change with; undefined is no answer at all. */
type Reply = { readonly status?: number; readonly body: string; readonly retryAfter?: string } | undefined;
let toList: Reply | 'silence';
let toChange: Reply;
let server: Server;
let endpoint: string;
/** Calls: access key, method and path. */
let seen: string[] = [];

const empty: Reply = { body: pageXml([], undefined, 20) };
const otherZone = 'other.test';
const zoneFound: Reply = {
  body: zonesXml(
    [`<Id>/hostedzone/Z1</Id><Name>${zone}.</Name>`, `<Id>/hostedzone/Z2</Id><Name>${otherZone}.</Name>`],
    zone,
    100,
  ),
};

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    const key = /Credential=(\w+)/.exec(request.headers.authorization ?? '')?.[1];
    seen.push(`${key} ${request.method} ${request.url}`);
    const isZones = request.url?.includes('hostedzonesbyname') === true;
    const reply = isZones ? zoneFound : request.method === 'POST' ? toChange : toList;
    if (reply === 'silence') return;
    if (reply === undefined) return void request.socket.destroy();
    const headers = reply.retryAfter === undefined ? {} : { 'retry-after': reply.retryAfter };
    response.writeHead(reply.status ?? 200, { 'content-type': 'text/xml', ...headers }).end(reply.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as { readonly port: number }).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const keys = { 'access-key-id': 'AKIALAB', 'secret-access-key': 'lab-secret-word' };
const made = (timeoutMs = 5000): Provider =>
  createRoute53({
    ...parts(),
    spec: { endpoint, plainHttp: true },
    credentials: keys,
    timeoutMs,
    rate: { atOnce: 4 },
  });

/** What a list and a change end with, where the server answers both alike. */
async function told(reply: Reply): Promise<readonly unknown[]> {
  [toList, toChange] = [reply, reply];
  const list = await made()
    .list(zone, [wanted])
    .catch((error: unknown) => error);
  const change = await made()
    .apply(zone, [{ name, type: 'TXT', before: undefined, after: wanted }])
    .catch((error: unknown) => error);
  return [list, change];
}

const refusal = (code: string, message: string, status = 400): Reply => ({ status, body: errorXml(code, message) });

test.each<readonly [string, Reply, string, string, RegExp]>([
  [
    'an unknown access key',
    refusal('InvalidClientTokenId', 'no', 403),
    'ProviderUnauthorized',
    'Stalled',
    /access-key-id/,
  ],
  [
    'a wrong secret',
    refusal('SignatureDoesNotMatch', 'no', 403),
    'ProviderUnauthorized',
    'Stalled',
    /secret-access-key/,
  ],
  ['an expired token', refusal('ExpiredToken', 'no', 403), 'ProviderUnauthorized', 'Stalled', /session-token/],
  [
    'a right that lacks',
    refusal(
      'AccessDenied',
      'User: arn:aws:iam::1:user/x is not authorized to perform: route53:Some on resource: y',
      403,
    ),
    'ProviderUnauthorized',
    'Stalled',
    /denies route53:Some for the zone example\.test/,
  ],
  [
    'a right that lacks, unnamed',
    refusal('AccessDenied', 'no', 403),
    'ProviderUnauthorized',
    'Stalled',
    /route53:\w+ResourceRecordSets/,
  ],
  [
    'too many calls',
    { ...refusal('Throttling', 'Rate exceeded'), body: errorXml('Throttling', 'Rate'), retryAfter: '7' },
    'ProviderThrottled',
    'Retry',
    /7 seconds/,
  ],
  [
    'too many calls, without a time',
    refusal('ThrottlingException', 'Rate exceeded'),
    'ProviderThrottled',
    'Retry',
    /5 seconds/,
  ],
  ['an overloaded service', { status: 503, body: '' }, 'ProviderThrottled', 'Retry', /HTTP 503/],
  [
    'input that it does not take',
    refusal('InvalidInput', 'bad\u202e\nthing'),
    'ProviderRefused',
    'Stalled',
    /InvalidInput\): bad thing/,
  ],
  ['a failure of its own', refusal('InternalFailure', 'no', 500), 'ProviderUnavailable', 'Retry', /Route 53/],
  ['what is not XML', { body: 'no' }, 'ProviderUnavailable', 'Retry', /Route 53/],
  ['more than anybody reads', { body: `<a>${'x'.repeat(9 << 20)}</a>` }, 'ProviderUnavailable', 'Retry', /longer than/],
  ['a connection cut off', undefined, 'ProviderUnavailable', 'Retry', /Route 53/],
])('%s is said to be so', async (_what, reply, reason, kind, words) => {
  for (const error of await told(reply)) {
    expect(error).toMatchObject({ reason, kind, message: expect.stringMatching(words) });
    expect(String(error)).not.toContain('lab-secret-word');
    const isDoubtful = (error as Error).message.includes('may or may not have been made');
    expect(isDoubtful && reason !== 'ProviderUnavailable').toBe(false);
  }
});

const exists = "Tried to create resource record set [name='_mta-sts.example.test.', type='TXT'] but it already exists";
const other = "Invalid Resource Record: 'FATAL problem: DomainLabelEmpty encountered with 'x''";
test.each<readonly [string, Reply, string]>([
  ['a set that stands', { status: 400, body: refusedXml([exists]) }, 'RecordChanged'],
  ['a set that stands, in the other form', refusal('InvalidChangeBatch', `[${exists}]`), 'RecordChanged'],
  ['two of them, in the other form', refusal('InvalidChangeBatch', `[${exists}, ${exists}]`), 'RecordChanged'],
  ['a value that it does not take', { status: 400, body: refusedXml([other]) }, 'ProviderRefused'],
  ['both', { status: 400, body: refusedXml([exists, other]) }, 'ProviderRefused'],
  ['both, in the other form', refusal('InvalidChangeBatch', `[${exists}, ${other}]`), 'ProviderRefused'],
])('a batch that is refused for %s', async (_what, reply, reason) => {
  [toList, toChange] = [empty, reply];
  const applied = made().apply(zone, [{ name, type: 'TXT', before: undefined, after: wanted }]);
  await expect(applied).rejects.toMatchObject({ reason });
});

test('a zone that still works on a change holds up its own changes and nothing else', async () => {
  const busy = refusal('PriorRequestNotComplete', 'The request was rejected because Route 53 was still processing');
  [toList, toChange, seen] = [empty, busy && { ...busy, retryAfter: '1' }, []];
  const provider = made();
  const created = (after: RecordSet): readonly RecordChange[] => [{ ...after, before: undefined, after }];
  await expect(provider.apply(zone, created(wanted))).rejects.toMatchObject({
    reason: 'ProviderThrottled',
    retryAfterSeconds: 1,
    message: expect.stringContaining(zone),
  });
  toChange = { body: changeXml('ChangeResourceRecordSetsResponse', 'C1', false) };
  seen = [];
  const again = provider.apply(zone, created(wanted));
  await provider.list(zone, [wanted]);
  const name = `_mta-sts.${otherZone}`;
  await provider.list(otherZone, [{ name, type: 'TXT' }]);
  await provider.apply(otherZone, created({ ...wanted, name }));
  const changed = (): readonly (string | undefined)[] =>
    seen.filter((line) => line.includes(' POST ')).map((line) => /hostedzone\/(Z\d)/.exec(line)?.[1]);
  expect(changed()).toEqual(['Z2']);
  await again;
  expect(changed()).toEqual(['Z2', 'Z1']);
});

test('a list whose connection is cut off is asked for once more, a change never', async () => {
  await told(undefined);
  [toList, toChange, seen] = [undefined, undefined, []];
  const provider = made();
  await provider.list(zone, [wanted]).catch(() => undefined);
  await provider.apply(zone, [{ name, type: 'TXT', before: undefined, after: wanted }]).catch(() => undefined);
  expect(seen.filter((line) => line.includes(' GET ') && line.includes('/rrset'))).toHaveLength(2);
  expect(seen.filter((line) => line.includes(' POST '))).toHaveLength(1);
});

test('a server that takes the call and says nothing is not waited for', async () => {
  toList = 'silence';
  await expect(made(200).list(zone, [wanted])).rejects.toMatchObject({ reason: 'ProviderUnavailable' });
});

test.each([
  ['an id alone', { 'access-key-id': 'AKIALAB' }, '"secret-access-key"'],
  ['keys of other names', { AWS_ACCESS_KEY_ID: 'AKIALAB' }, '"access-key-id"'],
])('a Secret with %s is not passed over for another identity', (_what, credentials, words) => {
  expect(() => fromSpec({}, credentials, parts())).toThrow(
    expect.objectContaining({ reason: 'CredentialsMissing', kind: 'Stalled', message: expect.stringContaining(words) }),
  );
});

describe('without a Secret', () => {
  beforeEach(() => {
    for (const name of ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN', 'PROFILE', 'ROLE_ARN'])
      vi.stubEnv(`AWS_${name}`, undefined);
    for (const name of ['CONTAINER_CREDENTIALS_FULL_URI', 'CONTAINER_CREDENTIALS_RELATIVE_URI'])
      vi.stubEnv(`AWS_${name}`, undefined);
    for (const name of ['CONFIG_FILE', 'SHARED_CREDENTIALS_FILE']) vi.stubEnv(`AWS_${name}`, '/dev/null');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });
  const own = (): Provider =>
    createRoute53({ ...parts(), spec: { endpoint }, credentials: {}, timeoutMs: 5000, rate: { atOnce: 4 } });

  test('the calls are made with the identity of the operator itself', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAOPERATOR');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'x');
    [toList, seen] = [empty, []];
    expect(await own().list(zone, [wanted])).toEqual([]);
    expect(new Set(seen.map((line) => line.split(' ')[0]))).toEqual(new Set(['AKIAOPERATOR']));
  });

  test('and where there is no identity either it is said what to do', async () => {
    await expect(own().list(zone, [wanted])).rejects.toMatchObject({
      reason: 'ProviderUnauthorized',
      kind: 'Stalled',
      message: expect.stringContaining('credentials Secret'),
    });
  });
});
