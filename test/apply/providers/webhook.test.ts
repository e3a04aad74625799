import { afterEach, describe, expect, test } from 'vitest';
import { fromSpec } from '../../../src/apply/providers/webhook.ts';
import type { Provider, RecordChange } from '../../../src/apply/providers/provider.ts';
import type { RecordSet, RecordType } from '../../../src/dns/rrset.ts';
import { KubeError } from '../../../src/kube/error.ts';
import { type Endpoint, startWebhook, type Webhook, type WebhookOptions } from '../../lab/webhook.ts';
import { makeCa } from '../../pki/certificates.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const name = `_mta-sts.${zone}`;
const set = (values: readonly string[], ttl = 300, type: RecordType = 'TXT', at = name): RecordSet => ({
  name: at,
  type,
  ttl,
  values,
});
const change = (before: RecordSet | undefined, after: RecordSet | undefined): RecordChange => {
  const { name: at, type } = after ?? before ?? set([]);
  return { name: at, type, before, after };
};

let webhook: Webhook | undefined;
let providers: Provider[] = [];
afterEach(async () => {
  for (const provider of providers) provider.close?.();
  providers = [];
  await webhook?.stop();
});

/** A webhook over records in memory; `made` is what it makes of an endpoint that it is given to keep. */
async function start(
  records: Endpoint[],
  options: Partial<WebhookOptions> & { readonly made?: (endpoint: Endpoint) => Endpoint } = {},
): Promise<Webhook> {
  const { made = (one) => one, ...rest } = options;
  webhook = await startWebhook({
    include: [zone],
    records: async () => records,
    write: async (before, after) => {
      const at = before === undefined ? -1 : records.findIndex((one) => JSON.stringify(one) === JSON.stringify(before));
      if (before !== undefined && at < 0) throw new Error(`${before.dnsName} does not stand so`);
      if (at >= 0) records.splice(at, 1);
      if (after !== undefined) records.push(made(after));
    },
    ...rest,
  });
  return webhook;
}

function open(some: Parameters<typeof parts>[0] = {}, spec: { readonly caBundle?: string } = {}): Provider {
  const provider = fromSpec(
    { url: webhook?.url ?? '', plainHttp: true, ...spec },
    {},
    parts({ timeoutMs: 3000, ...some }),
  );
  providers.push(provider);
  return provider;
}

const txt = (targets: readonly string[], rest: Partial<Endpoint> = {}): Endpoint => ({
  dnsName: name,
  recordType: 'TXT',
  targets,
  recordTTL: 300,
  ...rest,
});
const listed = (provider: Provider, type: RecordType = 'TXT'): Promise<readonly RecordSet[]> =>
  provider.list(zone, [{ name, type }]);
const writes = (): readonly unknown[] =>
  (webhook?.calls ?? []).filter(({ method, path }) => method === 'POST' && path === '/records').map(({ body }) => body);

describe('what stands is listed as we would write it', () => {
  test.each([
    ['in quotes', txt(['"v=STSv1; id=1;"']), set(['v=STSv1; id=1;'])],
    ['without quotes', txt(['v=STSv1; id=1;']), set(['v=STSv1; id=1;'])],
    ['in several strings', txt([`"${'a'.repeat(255)}" "bc"`]), set([`${'a'.repeat(255)}bc`])],
    ['with quotes of its own', txt([String.raw`"say \"x\" \\ \065"`]), set(['say "x" \\ A'])],
    ['that only begins with a quote', txt(['"half']), set(['"half'])],
    ['at a name in upper case and with a final dot', txt(['x'], { dnsName: '_MTA-STS.Example.TEST.' }), set(['x'])],
    ['without a TTL', txt(['x'], { recordTTL: 0 }), set(['x'], 0)],
  ])('a TXT %s', async (_what, endpoint, wanted) => {
    await start([endpoint]);
    expect(await listed(open())).toEqual([wanted]);
  });

  test.each<[RecordType, Endpoint, readonly string[]]>([
    ['AAAA', { dnsName: name, recordType: 'AAAA', targets: ['2001:DB8:0:0::7'] }, ['2001:db8::7']],
    ['CNAME', { dnsName: name, recordType: 'CNAME', targets: ['Policy.Example.NET.'] }, ['policy.example.net']],
    ['A', { dnsName: name, recordType: 'A', targets: ['lb.example.net'] }, ['lb.example.net']],
  ])('a set of type %s', async (type, endpoint, values) => {
    await start([endpoint]);
    expect(await listed(open(), type)).toEqual([set(values, 0, type)]);
  });

  test('endpoints of one name and type are one set', async () => {
    await start([txt(['"a"']), txt(['"b"'], { recordTTL: 60, setIdentifier: 'two' })]);
    expect(await listed(open())).toEqual([set(['a', 'b'], 60)]);
  });

  test('a webhook written in Go that has no records says null', async () => {
    await start([]);
    webhook?.faultOnce(({ path }, response) => path === '/records' && Boolean(response.end('null')));
    expect(await listed(open())).toEqual([]);
  });
});

describe('what is written', () => {
  test('goes out quoted, with what stood as the webhook had it', async () => {
    const stood = txt(['"one"'], { labels: { owner: 'x' } });
    await start([stood]);
    const provider = open();
    await provider.apply(zone, [change(set(['one']), set(['v=STSv1; id=2;']))]);
    expect(writes()).toEqual([{ create: [], updateOld: [stood], updateNew: [txt(['"v=STSv1; id=2;"'])], delete: [] }]);
    await provider.apply(zone, [change(set(['v=STSv1; id=2;']), undefined)]);
    expect(await listed(provider)).toEqual([]);
  });

  test('replaces several endpoints by one', async () => {
    const stood = [txt(['"a"'], { setIdentifier: '1' }), txt(['"b"'], { setIdentifier: '2' })];
    await start([...stood]);
    await open().apply(zone, [change(set(['a', 'b']), set(['c']))]);
    expect(writes()).toEqual([{ create: [txt(['"c"'])], updateOld: [], updateNew: [], delete: stood }]);
  });

  test('is not sent where the webhook says that it would write what stands, with a TTL of its own', async () => {
    const made = (one: Endpoint): Endpoint => ({ ...one, recordTTL: 3600 });
    await start([], { made, adjust: (all) => all.map(made) });
    const provider = open();
    await provider.apply(zone, [change(undefined, set(['x'], 60))]);
    const [standing] = await listed(provider);
    expect(standing).toEqual(set(['x'], 3600));
    await provider.apply(zone, [change(standing, set(['x'], 60))]);
    expect(writes()).toHaveLength(1);
  });

  test.each([
    ['leaves it out', () => [], 'leaves it out'],
    [
      'would write another value',
      (all: readonly Endpoint[]) => all.map((one) => ({ ...one, targets: ['y'] })),
      'would write y',
    ],
  ])('is refused where the webhook %s', async (_what, adjust, words) => {
    await start([], { adjust });
    await expect(open().apply(zone, [change(undefined, set(['x']))])).rejects.toMatchObject({
      reason: 'ProviderRefused',
      kind: 'Stalled',
      message: expect.stringContaining(words),
    });
    expect(writes()).toEqual([]);
  });

  test('nothing is written at names that the webhook adds', async () => {
    const added: Endpoint = { dnsName: 'www.example.test', recordType: 'A', targets: ['192.0.2.66'] };
    await start([], { adjust: (all) => [...all, added] });
    await open().apply(zone, [change(undefined, set(['x']))]);
    expect(JSON.stringify(writes())).not.toContain('www');
  });

  test('nothing is written when another leads by then', async () => {
    await start([]);
    const lost = new KubeError(0, 'NotLeader', 'another operator may lead by now');
    const provider = open({
      mayWrite: () => {
        throw lost;
      },
    });
    await expect(provider.apply(zone, [change(undefined, set(['x']))])).rejects.toBe(lost);
    expect(writes()).toEqual([]);
  });
});

test('looks at many names within a moment share one list of all records', async () => {
  await start([txt(['"x"'])]);
  const provider = open();
  await Promise.all(
    Array.from({ length: 20 }, (_, at) => provider.list(zone, [{ name: `n${at}.${zone}`, type: 'A' }])),
  );
  await listed(provider);
  expect(webhook?.calls.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /', 'GET /records']);
});

test.each([
  ['is outside of its domain filter', { include: ['example.org'] }],
  ['is excluded', { include: [zone], exclude: [`_mta-sts.${zone}`] }],
  ['is the apex where only names below are served', { include: [`.${name}`] }],
])('a name that %s is not taken for absent', async (_what, filter) => {
  await start([], filter);
  const told = { reason: 'ZoneNotFound', kind: 'Stalled', message: expect.stringContaining(zone) };
  await expect(listed(open())).rejects.toMatchObject(told);
  await expect(open().apply(zone, [change(undefined, set(['x']))])).rejects.toMatchObject(told);
});

describe('a webhook that fails', () => {
  test.each<[string, number, Record<string, string>, string, RegExp]>([
    ['is told apart from one that is no webhook', 404, {}, 'ProviderRefused', /spec\.webhook\.url/u],
    [
      'by sending us elsewhere is not followed',
      302,
      { location: 'http://192.0.2.1/' },
      'ProviderRefused',
      /elsewhere/u,
    ],
    ['for want of credentials says so', 403, {}, 'ProviderUnauthorized', /no credentials/u],
    ['for a while is asked again', 503, { 'retry-after': '9' }, 'ProviderUnavailable', /HTTP 503/u],
  ])('%s', async (_what, status, headers, reason, words) => {
    await start([]);
    webhook?.faultOnce((_call, response) => Boolean(response.writeHead(status, headers).end('no')));
    const retryAfterSeconds = status === 503 ? 9 : undefined;
    await expect(listed(open())).rejects.toMatchObject({
      reason,
      retryAfterSeconds,
      message: expect.stringMatching(words),
    });
  });

  test('in the middle of a write leaves it in doubt', async () => {
    await start([]);
    webhook?.failHalfway();
    await expect(open().apply(zone, [change(undefined, set(['x']))])).rejects.toMatchObject({
      reason: 'ProviderUnavailable',
      kind: 'Retry',
      message: expect.stringContaining('may or may not have been made'),
    });
  });

  test('a page that is no webhook is said to be none', async () => {
    await start([]);
    webhook?.faultOnce((_call, response) => Boolean(response.setHeader('content-type', 'text/html').end('<p>')));
    await expect(listed(open())).rejects.toMatchObject({ reason: 'ProviderRefused', kind: 'Stalled' });
  });

  test.each([
    ['no JSON', '[{"dnsName":}]'],
    ['no list', '{"dnsName":"x"}'],
    ['a list that does not end', '[{"dnsName":"x"}'],
    ['more after the list', '[] []'],
    ['a record longer than any', `["${'x'.repeat(1_100_000)}"]`],
  ])('that gives %s is asked again later', async (_what, body) => {
    await start([]);
    webhook?.faultOnce(({ path }, response) => path === '/records' && Boolean(response.end(body)));
    const provider = open();
    await expect(listed(provider)).rejects.toMatchObject({
      reason: 'ProviderUnavailable',
      message: expect.stringContaining("can't be read"),
    });
    expect(await listed(provider)).toEqual([]);
  });

  test('that never ends its answer is given up', async () => {
    await start([]);
    webhook?.faultOnce(({ path }, response) => path === '/records' && response.write('[') !== undefined);
    await expect(listed(open({ timeoutMs: 300 }))).rejects.toMatchObject({
      reason: 'ProviderUnavailable',
      message: expect.stringContaining('0.3 s'),
    });
  });

  test('whose list is too long is given up', async () => {
    await start([]);
    const row = Buffer.from(`${' '.repeat(65_536)}{},`);
    webhook?.faultOnce(({ path }, response) => {
      if (path !== '/records') return false;
      response.write('[');
      const more = (): void => {
        while (!response.destroyed && response.write(row));
      };
      response.on('drain', more);
      more();
      return true;
    });
    await expect(listed(open({ timeoutMs: 20_000 }))).rejects.toMatchObject({
      reason: 'ProviderUnavailable',
      message: expect.stringContaining('longer than 64 MiB'),
    });
  });
});

test('only the pinned CA speaks for a webhook', async () => {
  const [ca, other] = [await makeCa('Webhook'), await makeCa('Another')];
  const leaf = await ca.issue({ names: ['localhost'] });
  await start([], { tls: { key: leaf.key, cert: leaf.cert + ca.intermediate.cert } });
  expect(await listed(open({}, { caBundle: ca.root.cert }))).toEqual([]);
  await expect(listed(open({}, { caBundle: other.root.cert }))).rejects.toMatchObject({
    reason: 'ProviderUnavailable',
  });
});

test.each([
  ['without TLS, not asked for', { url: 'http://hook.example.net:8888' }],
  ['no URL', { url: 'hook' }],
])('a place that is %s is refused', (_what, spec) => {
  expect(() => fromSpec(spec, {}, parts())).toThrow(
    expect.objectContaining({ reason: 'InvalidSpec', kind: 'Stalled' }),
  );
});
