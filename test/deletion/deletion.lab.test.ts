/** An acknowledged deletion ends, of objects and of all that they stand on; `prove -- deletion` plays every state. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiVersion, type Retirement } from '../../src/api/types.ts';
import { hashedName } from '../../src/apply/store.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import type { DomainState } from '../../src/plan/state.ts';
import { newFolder } from '../lab/namespace.ts';
import { waitFor } from '../lab/process.ts';
import { apply, domainOf, type Ground, mailDomain, operatorNamespace, tenant } from './ground.ts';
import {
  announced,
  announcement,
  boundMs,
  chosenStates,
  playStates,
  retirementOf,
  startStates,
  unexpected,
} from './play.ts';
import { grantAll } from './states.ts';

const patience = { timeoutMs: 120_000, everyMs: 300 } as const;
let ground: Ground;
const sample = chosenStates({ quick: true });
const kinds = ['maildomains', 'mailexchangers', 'dnsproviders', 'certificateissuers', 'retirements'] as const;
const crdsOf = (some: readonly string[]): readonly string[] => some.map((kind) => `crd/${kind}.mailseal.dev`);

/** What must outlive everything: keys, certificates, ids. */
async function stateOf(label: string): Promise<DomainState> {
  const name = hashedName('mailseal-domain', domainOf(label));
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: operatorNamespace, name };
  const secret = await ground.kube.get<SecretObject>(ref);
  return JSON.parse(Buffer.from(secret?.data?.['state.json'] ?? '', 'base64').toString('utf8')) as DomainState;
}

async function removeCrds(some: readonly string[]): Promise<void> {
  await ground.kubectl('delete', ...crdsOf(some), `--timeout=${boundMs / 1000}s`);
}

async function applyCrds(): Promise<void> {
  await ground.kubectl('apply', '--server-side', '-f', ground.crds);
  await ground.kubectl('wait', '--for=condition=Established', '-f', ground.crds);
}

beforeAll(async () => {
  ground = await startStates(newFolder('deletion'), sample, ['fresh', 'back']);
}, 180_000);

afterAll(async () => ground?.stop());

test('a MailDomain ends within a minute, in whatever state it is', async () => {
  const fates = await playStates(ground, sample);
  expect(fates.filter(({ problem }) => problem !== undefined)).toEqual([]);
  expect(unexpected(ground)).toEqual([]);
}, 400_000);

describe('removed CRDs', () => {
  let before: DomainState;
  beforeAll(async () => {
    await apply(ground, mailDomain('back'));
    await announced(ground, 'back');
    before = await stateOf('back');
  }, 180_000);

  const goesOn = async (): Promise<void> => {
    await apply(ground, mailDomain('back'));
    const back = async (): Promise<boolean> => {
      const { publications, certificate, key } = await stateOf('back');
      expect([key, certificate]).toEqual([before.key, before.certificate]);
      const [record = ''] = await announcement('back');
      const last = publications.at(-1);
      return last?.mode === 'testing' && record.includes(last.id) && (await retirementOf(ground, 'back')) === undefined;
    };
    await waitFor('the domain goes on from where it was', back, { ...patience, part: ground.operator() });
  };

  test('of domains and exchangers end with their objects, which are retired, and go on when they come back', async () => {
    await removeCrds(['maildomains', 'mailexchangers']);
    const held = async (): Promise<boolean> => (await stateOf('back')).publications.at(-1)?.mode === 'none';
    await waitFor('the policy is withdrawn', held, patience);
    await applyCrds();
    await goesOn();
    expect(ground.operator().alive()).toBe(true);
  }, 400_000);

  test('of every kind end too, leave everything as it stands, and it goes on from there', async () => {
    const record = await announcement('back');
    // A deletion that finds no kind to hand over to.
    await removeCrds(['retirements']);
    await removeCrds(kinds.filter((kind) => kind !== 'retirements'));
    expect(await announcement('back')).toEqual(record);
    await ground.startOperator();
    await applyCrds();
    await grantAll(ground);
    await goesOn();
    expect(await announcement('back')).toEqual(record);
    expect(unexpected(ground)).toEqual([]);
  }, 400_000);
});

test('a namespace ends with all that is in it, and what was promised is kept in that of the operator', async () => {
  await apply(ground, mailDomain('fresh'));
  await announced(ground, 'fresh');
  await ground.kubectl('delete', 'namespace', tenant, `--timeout=${boundMs / 1000}s`);
  const all = (): Promise<readonly Retirement[]> =>
    ground.kube.list<Retirement>({ apiVersion, kind: 'Retirement', namespace: operatorNamespace });
  const held = async (): Promise<boolean> => (await stateOf('fresh')).publications.at(-1)?.mode === 'none';
  await waitFor('the policy is withdrawn', held, patience);
  const kept = (await all()).map(({ spec }) => spec.domain ?? spec.hosts?.join());
  expect(kept).toEqual(expect.arrayContaining([domainOf('fresh'), domainOf('back')]));
}, 400_000);
