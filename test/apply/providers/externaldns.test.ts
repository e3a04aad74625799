import { beforeEach, describe, expect, test } from 'vitest';
import { type DNSEndpoint, fromSpec } from '../../../src/apply/providers/externaldns.ts';
import type { Provider, RecordChange } from '../../../src/apply/providers/provider.ts';
import type { RecordSet, RecordType } from '../../../src/dns/rrset.ts';
import { KubeError } from '../../../src/kube/error.ts';
import { createFakeKube, type FakeKube } from '../../fakes/kube.ts';
import { fakeAuthorities, type FakeWorld } from '../../fakes/resolver.ts';
import { type ExternalDns, externalDns } from './externaldns-stand-in.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const name = `_mta-sts.${zone}`;
const namespace = 'mailseal';
const set = (value: string, type: RecordType = 'TXT', at = name): RecordSet => ({
  name: at,
  type,
  ttl: 60,
  values: [value],
});
const change = (before: RecordSet | undefined, after: RecordSet | undefined): RecordChange => {
  const { name: at, type } = after ?? before ?? set('');
  return { name: at, type, before, after };
};

let world: FakeWorld;
let kube: FakeKube;
let provider: Provider;
let publisher: ExternalDns;
const providerWith = (
  some: Parameters<typeof parts>[0] = {},
  labels: { name: string; value: string }[] = [],
): Provider =>
  fromSpec(
    { labels },
    {},
    parts({ kube, namespace, authorities: fakeAuthorities({ 'ns1.test 192.0.2.53': world }), ...some }),
  );
beforeEach(() => {
  world = { records: { [`mx1.${zone} A`]: ['192.0.2.1'] } };
  kube = createFakeKube();
  provider = providerWith();
  publisher = externalDns(kube, namespace, world);
});
const objects = (): readonly DNSEndpoint[] => kube.dump();
const listed = (type: RecordType = 'TXT'): Promise<readonly RecordSet[]> => provider.list(zone, [{ name, type }]);

test('each name has an object of its own, with labels for external-dns and for us', async () => {
  const labelled = providerWith({}, [{ name: 'team', value: 'mail' }]);
  const address = set('192.0.2.7', 'A', `mta-sts.${zone}`);
  await labelled.apply(zone, [change(undefined, set('v=STSv1; id=1;')), change(undefined, address)]);
  expect(objects().map(({ spec }) => spec?.endpoints)).toEqual(
    expect.arrayContaining([
      [{ dnsName: name, recordType: 'TXT', targets: ['"v=STSv1; id=1;"'], recordTTL: 60 }],
      [{ dnsName: address.name, recordType: 'A', targets: ['192.0.2.7'], recordTTL: 60 }],
    ]),
  );
  for (const { metadata } of objects()) {
    expect(metadata).toMatchObject({
      namespace,
      name: expect.stringMatching(/^mailseal-dns-[0-9a-f]{20}$/u),
      labels: { team: 'mail', 'app.kubernetes.io/managed-by': 'mailseal' },
      annotations: { 'mailseal.dev/dns-provider': 'main', 'mailseal.dev/zone': zone },
    });
  }
});

test('what external-dns has not published yet stands, and can be taken back', async () => {
  await provider.apply(zone, [change(undefined, set('x'))]);
  expect(await listed()).toEqual([set('x')]);
  await provider.apply(zone, [change(set('x'), undefined)]);
  expect(objects()).toEqual([]);
  await publisher.round();
  expect(world.records[`${name} TXT`]).toBeUndefined();
});

test('what stands in the DNS outranks what an object asks for', async () => {
  await provider.apply(zone, [change(undefined, set('x'))]);
  world.records[`${name} TXT`] = ['foreign'];
  expect(await listed()).toEqual([{ ...set('foreign'), ttl: 300 }]);
  await expect(provider.apply(zone, [change(set('x'), set('y'))])).rejects.toMatchObject({ reason: 'RecordChanged' });
});

test('a change that is on its way is made once, however often it is asked for', async () => {
  await provider.apply(zone, [change(undefined, set('x'))]);
  await publisher.round();
  const writes = kube.writes().length;
  for (let times = 0; times < 3; times += 1) await provider.apply(zone, [change(set('x'), set('y'))]);
  expect(kube.writes().length - writes).toBe(1);
  expect(await listed()).toMatchObject([{ values: ['x'] }]);
  await publisher.round();
  expect(await listed()).toEqual([set('y')]);
});

test('the TTL that the DNS provider makes of ours is not asked for again, once external-dns has read it', async () => {
  await provider.apply(zone, [change(undefined, set('x'))]);
  world.records[`${name} TXT`] = ['x'];
  expect(await listed()).toEqual([{ ...set('x'), ttl: 300 }]);
  await publisher.round();
  expect(await listed()).toEqual([set('x')]);
});

test('other sets at the name stay when one goes', async () => {
  const host = `mta-sts.${zone}`;
  const [four, six] = [set('192.0.2.7', 'A', host), set('2001:db8::7', 'AAAA', host)];
  await provider.apply(zone, [change(undefined, four), change(undefined, six)]);
  await publisher.round();
  await provider.apply(zone, [change(four, undefined)]);
  await publisher.round();
  expect(world.records[`${host} A`]).toBeUndefined();
  expect(world.records[`${host} AAAA`]).toEqual(['2001:db8::7']);
});

test('an alias makes room for an address in one call', async () => {
  const [alias, address] = [set('policy.example.net', 'CNAME'), set('192.0.2.7', 'A')];
  await provider.apply(zone, [change(undefined, alias)]);
  await publisher.round();
  await provider.apply(zone, [change(alias, undefined), change(undefined, address)]);
  await publisher.round();
  expect(await listed('A')).toEqual([address]);
});

describe('a zone that another DNSProvider takes over', () => {
  const team = (value: string) => [{ name: 'team', value }];

  test.each([
    ['under another name', 'renamed', []],
    ['with other labels', 'main', team('mail')],
    ['under another name and with other labels', 'second', team('mail')],
  ])('goes on with the objects of the first, %s', async (_what, as, labels) => {
    await provider.apply(zone, [change(undefined, set('x'))]);
    await publisher.round();
    const next = providerWith({ name: as }, labels);
    await next.apply(zone, [change(set('x'), set('y'))]);
    expect(objects()).toMatchObject([{ metadata: { annotations: { 'mailseal.dev/dns-provider': as } } }]);
    await publisher.round();
    expect(world.records[`${name} TXT`]).toEqual(['y']);
    await next.apply(zone, [change(set('y'), undefined)]);
    await publisher.round();
    expect([objects(), world.records[`${name} TXT`]]).toEqual([[], undefined]);
  });

  test('labels that the new one does not have go', async () => {
    await providerWith({}, [...team('web'), { name: 'shard', value: '1' }]).apply(zone, [change(undefined, set('x'))]);
    await providerWith({}, team('mail')).apply(zone, [change(undefined, set('y'))]);
    expect(objects().map(({ metadata }) => metadata.labels)).toEqual([
      { team: 'mail', 'app.kubernetes.io/managed-by': 'mailseal' },
    ]);
  });
});

describe('labels that external-dns does not read, and are corrected', () => {
  const mail = [{ name: 'team', value: 'mail' }];
  const host = `mta-sts.${zone}`;
  const [four, six] = [set('192.0.2.7', 'A', host), set('2001:db8::7', 'AAAA', host)];
  let corrected: Provider;
  beforeEach(() => {
    publisher = externalDns(kube, namespace, world, { team: 'mail' });
    corrected = providerWith({}, mail);
  });

  test('what was never published is written anew, and published then', async () => {
    await provider.apply(zone, [change(undefined, set('x'))]);
    await publisher.round();
    expect(await listed()).toEqual([set('x')]);
    expect(await corrected.list(zone, [{ name, type: 'TXT' }])).toEqual([]);
    await corrected.apply(zone, [change(undefined, set('x'))]);
    expect(await corrected.list(zone, [{ name, type: 'TXT' }])).toEqual([set('x')]);
    await publisher.round();
    expect(world.records[`${name} TXT`]).toEqual(['x']);
  });

  test('what nobody asks for any more is not published with what is written anew beside it', async () => {
    await provider.apply(zone, [change(undefined, four), change(undefined, six)]);
    await corrected.apply(zone, [change(undefined, six)]);
    await publisher.round();
    expect([world.records[`${host} A`], world.records[`${host} AAAA`]]).toEqual([undefined, six.values]);
  });

  test('what is published already stays beside a change, and goes when it is to be removed', async () => {
    await provider.apply(zone, [change(undefined, four), change(undefined, six)]);
    await externalDns(kube, namespace, world).round();
    const other = set('192.0.2.8', 'A', host);
    await corrected.apply(zone, [change(four, other)]);
    expect(objects()).toMatchObject([{ spec: { endpoints: [{ recordType: 'A' }, { recordType: 'AAAA' }] } }]);
    await providerWith().apply(zone, [change(four, undefined), change(six, undefined)]);
    expect(objects()).toEqual([]);
  });

  test('a removal leaves nothing behind that could be published later', async () => {
    await provider.apply(zone, [change(undefined, four), change(undefined, six)]);
    world.records[`${host} A`] = four.values;
    await corrected.apply(zone, [change(four, undefined)]);
    expect(objects()).toEqual([]);
  });
});

test('an object that somebody writes meanwhile, a successor perhaps, is not written over', async () => {
  await provider.apply(zone, [change(undefined, set('x'))]);
  await publisher.round();
  let isFirst = true;
  kube.setFault(async ({ verb }) => {
    if (verb !== 'replace' || !isFirst) return;
    isFirst = false;
    const [object] = objects();
    if (object !== undefined) await kube.annotate({ ...object, ...object.metadata }, { touched: 'yes' });
  });
  const stale = provider.apply(zone, [change(set('x'), set('y'))]);
  await expect(stale).rejects.toMatchObject({ reason: 'RecordChanged', kind: 'Retry' });
  expect(objects()).toMatchObject([
    { metadata: { annotations: { touched: 'yes' } }, spec: { endpoints: [{ targets: ['"x"'] }] } },
  ]);
});

test.each([
  [404, 'NotFound', { reason: 'ProviderUnavailable', kind: 'Stalled' }, /install external-dns's CRDs/u],
  [403, 'Forbidden', { reason: 'ProviderUnauthorized', kind: 'Stalled' }, /externalDns\.enabled/u],
  [422, 'Invalid', { reason: 'ProviderRefused', kind: 'Stalled' }, /refuses/u],
  [429, 'TooManyRequests', { reason: 'ProviderThrottled', kind: 'Retry', retryAfterSeconds: 7 }, /later/u],
  [500, 'InternalError', { reason: 'ProviderUnavailable', kind: 'Retry' }, /may or may not have been made/u],
])('a cluster that answers %i (%s) is said to in plain words', async (status, reason, told, words) => {
  kube.setFault(({ verb }) => {
    if (verb !== 'create') return;
    throw new KubeError(status, reason, 'try later', { retryAfterSeconds: 7, mayHaveActed: status >= 500 });
  });
  await expect(provider.apply(zone, [change(undefined, set('x'))])).rejects.toMatchObject({
    ...told,
    message: expect.stringMatching(words),
  });
});

test('nothing is written when another leads by then', async () => {
  const lost = new KubeError(0, 'NotLeader', 'another operator may lead by now');
  const stale = providerWith({
    mayWrite: () => {
      throw lost;
    },
  });
  await expect(stale.apply(zone, [change(undefined, set('x'))])).rejects.toBe(lost);
  expect(objects()).toEqual([]);
});

test('where the DNS gives no answer nothing is written', async () => {
  world.failing = { [zone]: 'Unreachable' };
  await expect(listed()).rejects.toMatchObject({ reason: 'DNSUnknown' });
  await expect(provider.apply(zone, [change(undefined, set('x'))])).rejects.toMatchObject({ reason: 'DNSUnknown' });
  expect(objects()).toEqual([]);
});
