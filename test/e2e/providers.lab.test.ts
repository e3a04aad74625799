/** One operator, and a domain for each way to publish: on real servers, or on stand-ins that pour into one. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion } from '../../src/api/types.ts';
import { ageCertificates, passDays } from '../faults/aging.ts';
import { tenant } from '../faults/cluster.ts';
import { newFolder } from '../lab/namespace.ts';
import { waitFor } from '../lab/process.ts';
import { applyDomain, type Ground, isWithdrawn, objectsOf, retirementOf, startGround } from './providers/ground.ts';
import { domains, policyServers, type WayName, wayNames } from './providers/names.ts';
import {
  certifiedFrom,
  daneOf,
  isReady,
  leftoversOf,
  lookAfresh,
  presentedTlsa,
  sightOf,
  untilAll,
} from './providers/sight.ts';

const withoutTlsa: readonly WayName[] = ['webhook', 'external-dns'];
const withTlsa = wayNames.filter((way) => !withoutTlsa.includes(way));
/** Mailseal removes nothing there, and a human who does not look leaves it. */
const leftToHumans: readonly WayName[] = ['manual', 'observe', 'upsert-only'];
const dayMs = 86_400_000;
/** Longer than any promise that a domain makes here. */
const longDays = 400;
const [firstRua, nextRua] = ['mailto:first@example.test', 'mailto:next@example.test'];

let ground: Ground;
beforeAll(async () => {
  ground = await startGround(newFolder('providers'));
}, 180_000);
afterAll(async () => ground?.stop());

/** As if the TTL of a minute were over: one API takes none that is shorter. */
const forgetMinute = (): Promise<void> => ground.dns.views.flush(domains.cloudflare);
/** As if all TTLs were over. */
const forgetAll = (): Promise<void> => ground.dns.views.flush('test');

const written = async (): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries(await Promise.all(ground.ways.map(async ({ name, written }) => [name, await written()] as const)));

test('every domain becomes Ready, although the operator is killed on the way', async () => {
  const begin = await written();
  await ground.startOperator();
  await Promise.all(wayNames.map((way) => applyDomain(ground, way, { rua: firstRua })));
  const begun = async (): Promise<boolean> => {
    const now = await written();
    return wayNames.filter((way) => now[way] !== begin[way]).length >= 4;
  };
  await waitFor('some have begun to publish', begun, { timeoutMs: 60_000, part: ground.operator() });
  const early = await Promise.all(wayNames.map(async (way) => isReady(await objectsOf(ground, way))));
  expect(early).not.toContain(true);
  await ground.startOperator();
  const ready = async (way: WayName): Promise<boolean> => isReady(await objectsOf(ground, way));
  await untilAll(ground, 'every domain is Ready', wayNames, ready);
}, 200_000);

describe('a sender sees by a resolver that validates', () => {
  test.each(wayNames)('what %s publishes', async (way) => {
    const sight = await sightOf(way);
    expect(sight).toEqual({
      policy: expect.stringMatching(/^v=STSv1; id=\w+;$/u),
      policyHost: policyServers,
      reports: `v=TLSRPTv1; rua=${firstRua};`,
      tlsa: withTlsa.includes(way) ? [expect.any(String), expect.any(String)] : [],
    });
    if (withTlsa.includes(way)) expect(sight.tlsa).toContain(await presentedTlsa(way));
  });
});

test.each(withoutTlsa)('without TLSA records DANE does not count, and %s says so', async (way) => {
  expect(await daneOf(ground, way)).toMatchObject({ status: 'False', reason: 'TLSAUnsupported' });
});

test.each(withTlsa)('DANE holds by %s', async (way) => {
  expect(await daneOf(ground, way)).toMatchObject({ status: 'True' });
});

test('a change of the spec arrives by every way', async () => {
  await Promise.all(wayNames.map((way) => applyDomain(ground, way, { rua: nextRua })));
  const arrived = async (way: WayName): Promise<boolean> =>
    (await sightOf(way)).reports === `v=TLSRPTv1; rua=${nextRua};` && isReady(await objectsOf(ground, way));
  await untilAll(ground, 'the new address of reports is seen', wayNames, arrived, forgetMinute);
}, 120_000);

test('at rest nothing is written, however closely all is looked at', async () => {
  await lookAfresh(ground, wayNames);
  const before = await written();
  const deeds = ground.robot.deeds().length;
  await lookAfresh(ground, wayNames);
  expect(await written()).toEqual(before);
  expect(ground.robot.deeds()).toHaveLength(deeds);
}, 120_000);

describe('what a human writes', () => {
  const deedsOf = (way: WayName) => ground.robot.deeds().filter((deed) => deed.way === way);

  test.each(['manual', 'observe', 'delegated'] as const)('nobody else does, in the zone of %s', async (way) => {
    const deeds = deedsOf(way);
    expect(deeds.length).toBeGreaterThan(0);
    for (const [at, { serials }] of deeds.entries())
      expect(serials[0]).toBe(at === 0 ? serials[0] : deeds[at - 1]?.serials[1]);
    expect(await ground.dns.bind.serial(domains[way])).toBe(deeds.at(-1)?.serials[1]);
    expect(ground.dns.bind.updates(domains[way])).toBe(0);
  });

  test('of a delegated zone are CNAMEs alone, each once', () => {
    const records = deedsOf('delegated').map(({ record }) => record);
    expect(records.every(({ type }) => type === 'CNAME')).toBe(true);
    expect(new Set(records.map(({ name }) => name)).size).toBe(records.length);
  });
});

test('certificates are renewed by every way, with the same keys', async () => {
  const keys = await Promise.all(wayNames.map(presentedTlsa));
  const begin = Date.now();
  await ground.startOperator(async () => {
    await ageCertificates({ acme: ground.pebble }, ground.kube, [tenant]);
    // A second proof within the TTL of the first fails at a CA that remembers, and is tried again after a minute.
    await forgetAll();
  });
  const renewed = async (way: WayName): Promise<boolean> =>
    (await certifiedFrom(way)).every((from) => from > begin - dayMs) && isReady(await objectsOf(ground, way));
  await untilAll(ground, 'certificates are renewed', wayNames, renewed);
  expect(await Promise.all(wayNames.map(presentedTlsa))).toEqual(keys);
}, 120_000);

test('what is no longer wanted goes by every way', async () => {
  await Promise.all(wayNames.map((way) => applyDomain(ground, way, { rua: undefined, dane: 'Off' })));
  const gone = async (way: WayName): Promise<boolean> => {
    const { reports, tlsa, policy } = await sightOf(way);
    return policy !== undefined && reports === undefined && tlsa.length === 0 && isReady(await objectsOf(ground, way));
  };
  await untilAll(ground, 'TLSA and TLSRPT records are gone', wayNames, gone, forgetMinute);
}, 120_000);

test('of a domain that was deleted nothing is left, once nobody holds to its policy', async () => {
  const ways = wayNames.filter((way) => !leftToHumans.includes(way));
  const kinds = ['MailDomain', 'MailExchanger'];
  const refs = ways.flatMap((name) => kinds.map((kind) => ({ apiVersion, kind, namespace: tenant, name })));
  for (const ref of refs) await ground.kube.remove(ref);
  const held = async (way: WayName): Promise<boolean> =>
    conditionOf((await retirementOf(ground, way))?.status?.conditions, 'Ready')?.reason === 'PromiseHeld';
  await untilAll(ground, 'every policy is withdrawn', ways, held, forgetAll);
  await ground.startOperator(() => passDays(ground.kube, longDays));
  const unannounced = async (way: WayName): Promise<boolean> =>
    (await sightOf(way)).policy === undefined && (await isWithdrawn(ground, way));
  await untilAll(ground, 'every announcement has gone', ways, unannounced, forgetAll);
  await ground.startOperator(() => passDays(ground.kube, longDays));
  const gone = async (way: WayName): Promise<boolean> =>
    (await sightOf(way)).policyHost.length === 0 &&
    (await leftoversOf(way)).length === 0 &&
    (await retirementOf(ground, way)) === undefined;
  await untilAll(ground, 'all has gone', ways, gone, forgetAll);
  const told = readFileSync(ground.operator().log, 'utf8').split('\n');
  expect(told.filter((line) => /"level":"error"|given up/u.test(line))).toEqual([]);
}, 200_000);
