import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { deletions } from './rules/deletion.ts';
import { foreignRecords } from './rules/foreign.ts';
import { policyHosts } from './rules/policy-hosts.ts';
import { policyIds } from './rules/policy-id.ts';
import { promises } from './rules/promise.ts';
import { cachedTlsa, spki } from './rules/tlsa.ts';
import { oneWriter, quiet } from './rules/writes.ts';
import type { MakeRule, RecordSet, Scene, Sighting, Thing, Told } from './sightings.ts';

const domain = 'example.test';
const scene: Scene = {
  servers: ['ns1'],
  domains: [domain],
  hosts: [{ host: 'mx.example.test', address: '192.0.2.25' }],
  pods: ['pod1', 'pod2'],
  insecure: [],
  roots: [],
  operatorNamespace: 'system',
};
const second = 1000;

/** The invariants that a rule names, of sightings a second apart unless they say otherwise. */
function named(rule: MakeRule, ...sightings: readonly Sighting[]): readonly string[] {
  const found: string[] = [];
  const see = rule(scene, (invariant) => void found.push(invariant));
  for (const sighting of sightings) see(sighting);
  return [...new Set(found)];
}

const span = (at: number) => ({ from: at * second, to: at * second + 50 });
const set = (at: number, name: string, type: string, values: readonly string[], ttl = 5): Sighting => {
  const found: RecordSet | undefined = values.length === 0 ? undefined : { name, type, ttl, values };
  return { of: 'set', server: 'ns1', name, type, set: found, ...span(at) };
};
const idShown = (at: number, id: string | undefined): Sighting =>
  set(at, `_mta-sts.${domain}`, 'TXT', id === undefined ? [] : [`v=STSv1; id=${id};`]);
const served = (at: number, pod: string, body: string | undefined): Sighting => ({
  of: 'served',
  pod,
  domain,
  answer: body === undefined ? { is: 'Silent', why: 'refused' } : { is: 'Body', body },
  chain: [],
  ...span(at),
});
const told = (at: number, what: Told): Sighting => ({ of: 'told', at: at * second, told: what });
const tick = (at: number): Sighting => ({ of: 'tick', at: at * second });
const policy = (mode: string, maxAge = 86_400, mx: readonly string[] = ['mx.example.test']): string =>
  `version: STSv1\r\nmode: ${mode}\r\n${mx.map((host) => `mx: ${host}\r\n`).join('')}max_age: ${maxAge}\r\n`;
const object = (at: number, change: 'Stands' | 'Changed' | 'Gone', thing: Partial<Thing>): Sighting => ({
  of: 'object',
  at: at * second,
  change,
  thing: { apiVersion: 'v1', kind: 'MailDomain', metadata: { namespace: 'mail', name: 'one', uid: 'u' }, ...thing },
});
const mailDomain = (at: number, change: 'Changed' | 'Gone', hosts = ['mx.example.test']): Sighting =>
  object(at, change, { spec: { domain, mx: { hosts } } });

describe('I1, of a host and the TLSA sets that caches hold', () => {
  const certificate = new X509Certificate(readFileSync(join(import.meta.dirname, '../testdata/dane/leaf.pem')));
  const fits = `3 1 1 ${spki(certificate)}`;
  const strange = `3 1 1 ${'ab'.repeat(32)}`;
  const tlsa = (at: number, values: readonly string[], ttl?: number): Sighting =>
    set(at, '_25._tcp.mx.example.test', 'TLSA', values, ttl);
  const presented = (at: number): Sighting => ({
    of: 'presented',
    host: 'mx.example.test',
    address: '192.0.2.25',
    chain: [certificate],
    ...span(at),
  });
  test.each<readonly [string, readonly Sighting[], readonly string[]]>([
    ['a set that matches', [tlsa(1, [fits, strange]), presented(2)], []],
    ['a set that does not', [tlsa(1, [strange]), presented(2)], ['I1']],
    ['a set that has gone, in a cache', [tlsa(1, [strange], 60), tlsa(2, []), presented(30)], ['I1']],
    ['a set that has gone from every cache', [tlsa(1, [strange], 60), tlsa(2, []), presented(62)], []],
    ['a set that was seen only after the look at the host', [presented(1), tlsa(2, [strange])], []],
    ['a set that no sender can use', [tlsa(1, ['1 1 1 abcd']), presented(2)], []],
  ])('%s', (_, sightings, want) => {
    expect(named(cachedTlsa, ...sightings)).toEqual(want);
  });
});

describe('I2, of ids and what pods serve', () => {
  const [old, next] = [policy('testing'), policy('enforce')];
  const both = (at: number, body: string): readonly Sighting[] => [served(at, 'pod1', body), served(at, 'pod2', body)];
  const first = [...both(1, old), idShown(2, 'a'), ...both(3, old)];
  test.each<readonly [string, readonly Sighting[], readonly string[]]>([
    ['body before id', [...first, ...both(4, next), idShown(5, 'b'), ...both(6, next)], []],
    [
      'one pod late',
      [...first, served(4, 'pod1', next), idShown(5, 'b'), served(6, 'pod1', next), served(6, 'pod2', old)],
      ['I2'],
    ],
    ['a further change right after the id', [...both(1, old), idShown(2, 'a'), served(3, 'pod1', next)], []],
    ['a pod that is away', [...first, ...both(4, next), idShown(5, 'b'), served(6, 'pod1', undefined)], []],
    ['an id that comes again', [...first, ...both(4, next), idShown(5, 'b'), idShown(6, 'a')], ['I2']],
    ['another body under the id, in the end', [...first, ...both(4, next), told(5, { is: 'settled' })], ['I2']],
    ['another body under the id, on its way', [...first, ...both(4, next)], []],
  ])('%s', (_, sightings, want) => {
    expect(named(policyIds, ...sightings)).toEqual(want);
  });
});

describe('I3, of the hosts of a policy', () => {
  const two = ['mx.example.test', 'old.example.test'];
  const mx = (at: number, hosts: readonly string[]): Sighting =>
    set(
      at,
      domain,
      'MX',
      hosts.map((host) => `10 ${host}`),
    );
  const begin = [mailDomain(1, 'Changed', two), served(2, 'pod1', policy('enforce', 86_400, two))];
  test.each<readonly [string, readonly Sighting[], readonly string[]]>([
    ['a host that has left the MX set', [...begin, mx(3, two), mx(4, []), served(9, 'pod1', policy('enforce'))], []],
    [
      'a host that a cache still names',
      [...begin, mx(3, two), mx(4, []), served(7, 'pod1', policy('enforce'))],
      ['I3'],
    ],
    ['a host that nobody listed', [...begin, served(3, 'pod1', policy('enforce', 1, [...two, 'evil.test']))], ['I3']],
    ['a policy that is demoted', [...begin, served(3, 'pod1', policy('testing', 1, two))], ['I3']],
    ['another pod that is not so far yet', [...begin, served(3, 'pod2', policy('testing', 1, two))], []],
    ['none while the object stands', [...begin, served(3, 'pod1', policy('none'))], ['I3']],
    ['none after its end', [...begin, mailDomain(3, 'Gone'), served(4, 'pod1', policy('none'))], []],
  ])('%s', (_, sightings, want) => {
    expect(named(policyHosts, ...sightings)).toEqual(want);
  });
});

describe('I4, of a promise', () => {
  const day = 86_400;
  const promised = [idShown(1, 'a'), served(2, 'pod1', policy('enforce'))];
  const withdrawn = [...promised, served(3, 'pod1', policy('none')), idShown(4, 'b')];
  test.each<readonly [string, readonly Sighting[], readonly string[]]>([
    ['an id that goes at once', [...promised, idShown(3, undefined)], ['I4']],
    ['an id that goes too soon after none', [...withdrawn, idShown(day - 10, undefined)], ['I4']],
    ['an id that goes in time', [...withdrawn, idShown(day + 10, undefined)], []],
    ['by the clock that counts', [...withdrawn, told(5, { is: 'clock', aheadMs: 2e8 }), idShown(6, undefined)], []],
    ['without none, in time', [...promised, idShown(day + 10, undefined)], ['I4']],
    ['a policy that was never announced', [served(2, 'pod1', policy('enforce')), idShown(3, undefined)], []],
  ])('%s', (_, sightings, want) => {
    expect(named(promises, ...sightings)).toEqual(want);
  });
});

describe('I5, of records of others', () => {
  const walk = (at: number, sets: readonly RecordSet[]): Sighting => ({ of: 'walk', domain, sets, ...span(at) });
  const mx: RecordSet = { name: domain, type: 'MX', ttl: 5, values: ['10 mx.example.test'] };
  const ours: RecordSet = { name: `_mta-sts.${domain}`, type: 'TXT', ttl: 5, values: ['v=STSv1; id=a;'] };
  const others: RecordSet = { name: domain, type: 'TXT', ttl: 5, values: ['v=spf1 -all'] };
  test.each<readonly [string, readonly Sighting[], readonly string[]]>([
    ['what is Mailseal’s appears', [walk(1, [mx]), walk(2, [mx, ours])], []],
    ['a set is changed', [walk(1, [mx]), set(2, domain, 'MX', ['20 mx.example.test'])], ['I5']],
    ['a set has gone', [walk(1, [mx]), walk(2, [])], ['I5']],
    ['a set appears at another’s name', [walk(1, [mx]), walk(2, [mx, others])], ['I5']],
    [
      'others change it',
      [walk(1, [mx]), told(2, { is: 'changed-by-others' }), walk(3, [others]), walk(4, [others])],
      [],
    ],
  ])('%s', (_, sightings, want) => {
    expect(named(foreignRecords, ...sightings)).toEqual(want);
  });
});

describe('I9 and I10, of writes', () => {
  const write = (at: number, what: string, by = 'a', holder?: string): Sighting => ({
    of: 'write',
    at: at * second,
    stage: what.includes('leases') ? 'Arrives' : 'Done',
    wire: 'kubernetes',
    what,
    body: Buffer.from(JSON.stringify({ spec: { holderIdentity: holder } })),
    by,
  });
  const lease = (at: number, holderIdentity: string): Sighting =>
    object(at, 'Changed', {
      kind: 'Lease',
      metadata: { namespace: 'system', name: 'mailseal-operator', resourceVersion: String(at) },
      spec: { holderIdentity },
    });
  const led = [write(1, 'create leases/mailseal-operator', 'a', 'A'), lease(1, 'A')];
  test.each<readonly [string, MakeRule, readonly Sighting[], readonly string[]]>([
    ['the leader writes', oneWriter, [...led, write(2, 'patch maildomains/one/status')], []],
    [
      'who was the leader writes',
      oneWriter,
      [...led, lease(5, 'B'), write(9, 'patch maildomains/one/status')],
      ['I10'],
    ],
    ['its last write meets the change', oneWriter, [...led, lease(5, 'B'), write(5.5, 'create events/*')], []],
    ['the Lease is renewed at rest', quiet, [told(1, { is: 'quiet' }), lease(9, 'A')], []],
    ['an object is written at rest', quiet, [told(1, { is: 'quiet' }), mailDomain(9, 'Changed')], ['I9']],
  ])('%s', (_, rule, sightings, want) => {
    expect(named(rule, ...sightings)).toEqual(want);
  });
});

describe('I16, of deletions', () => {
  const deleted = object(1, 'Changed', {
    spec: { domain },
    metadata: { namespace: 'mail', name: 'one', deletionTimestamp: '2026-01-01T00:00:00Z' },
  });
  const heir = object(3, 'Changed', {
    kind: 'Retirement',
    metadata: { namespace: 'system', name: 'domain-x' },
    spec: { domain },
  });
  const gone = [idShown(2, 'a'), mailDomain(4, 'Gone')];
  test.each<readonly [string, readonly Sighting[], readonly string[]]>([
    ['it ends in time', [deleted, tick(60)], []],
    ['it does not end', [deleted, tick(62)], ['I16']],
    ['it waits for an operator', [deleted, told(2, { is: 'killed' }), tick(90)], []],
    [
      'it waits since the operator is back',
      [deleted, told(2, { is: 'killed' }), told(90, { is: 'started' }), tick(120)],
      [],
    ],
    ['somebody looks after the records', [heir, ...gone, tick(10)], []],
    ['nobody does', [...gone, tick(10)], ['I16']],
    ['there is nothing to look after', [mailDomain(4, 'Gone'), tick(10)], []],
  ])('%s', (_, sightings, want) => {
    expect(named(deletions, ...sightings)).toEqual(want);
  });
});
