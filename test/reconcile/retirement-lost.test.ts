/** Retirements that lack what they need, or that someone ends. */
import { beforeEach, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { MailsealError } from '../../src/errors.ts';
import { createPolicyWatch, type PolicyWatchOptions } from '../../src/observe/policypods.ts';
import { key } from '../plan/cases.ts';
import { createRetirementScene, domain, type RetirementScene } from './retirement-scene.ts';
import { zone } from './scene.ts';

const day = 86_400_000;
const sts = `_mta-sts.${domain}`;
let scene: RetirementScene;
const isReady = (): boolean => conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True';
const isPublished = (): boolean =>
  isReady() && conditionOf(scene.mailDomain()?.status?.conditions, 'RecordsPublished')?.status === 'True';
const stalled = () => conditionOf(scene.retirement()?.status?.conditions, 'Stalled');
const reason = (): string | undefined => conditionOf(scene.retirement()?.status?.conditions, 'Ready')?.reason;
const hasEnded = (): boolean => scene.retirement() === undefined;
/** Some looks, a long time, and some more. */
const later = async (milliseconds: number): Promise<void> => {
  for (const ms of [0, milliseconds]) {
    scene.pass(ms);
    let looks = 0;
    await scene.run(() => ++looks === 5);
  }
};
const byHand = (name: string, type: 'A' | 'TXT' | 'TLSA'): void =>
  scene.provider.setByHand(zone, { name, type, ttl: 300, values: [] });
const gone = (why: 'ProviderNotFound' | 'CredentialsMissing'): MailsealError =>
  new MailsealError(why, `${why} by the test`, { kind: 'Stalled' });

beforeEach(async () => {
  scene = await createRetirementScene();
  await scene.createDomain();
  await scene.run(isPublished);
});

describe('a retirement whose zone can’t be written any more', () => {
  test.each(['ProviderNotFound', 'CredentialsMissing'] as const)(
    'by %s serves none, says what a human has to remove, and ends when all of it was removed by hand',
    async (why) => {
      await scene.remove('MailDomain', 'news');
      scene.providerIsLost = gone(why);
      await scene.run(() => stalled() !== undefined);
      expect(stalled()).toMatchObject({ reason: why, message: expect.stringContaining(`remove by hand ${sts} TXT:`) });
      expect(await scene.policy()).toContain('mode: none');
      await later(2 * day);
      expect(scene.setOf(sts, 'TXT')).toBeDefined();

      byHand(sts, 'TXT');
      const removed = scene.now();
      await scene.run(() => scene.retirement()?.status?.due !== undefined);
      const due = Date.parse(scene.retirement()?.status?.due ?? '');
      expect(due - removed).toBeGreaterThanOrEqual(day);
      scene.pass(day / 2);
      expect(stalled()?.message).not.toContain('_smtp._tls');
      scene.pass(due - scene.now());
      await scene.run(() => stalled()?.message.includes(`_smtp._tls.${domain} TXT`) === true);
      byHand(`_smtp._tls.${domain}`, 'TXT');
      await scene.run(() => stalled()?.message.includes(`mta-sts.${domain} A`) === true);
      expect(await scene.policy()).toContain('mode: none');
      byHand(`mta-sts.${domain}`, 'A');
      byHand(`_mailseal.${domain}`, 'TXT');
      await scene.run(hasEnded);
      expect([await scene.policy(), scene.domainState()]).toEqual([undefined, undefined]);
    },
  );

  test('goes on by itself when the provider is back', async () => {
    await scene.remove('MailExchanger', 'mx');
    scene.providerIsLost = gone('CredentialsMissing');
    await scene.run(() => stalled()?.message.includes('_25._tcp.mx1.example.com TLSA') === true);
    await later(day);
    expect(scene.state()).toBeDefined();
    scene.providerIsLost = undefined;
    await scene.run(() => scene.setOf('_25._tcp.mx1.example.com', 'TLSA') === undefined);
    expect(stalled()).toBeUndefined();
  });

  test('says that its zone is granted no more, and writes nothing there', async () => {
    await scene.remove('MailExchanger', 'mx');
    await scene.grant({ zones: ['other.example'] });
    const sets = scene.provider.sets(zone);
    await scene.run(() => stalled()?.reason === 'ZoneNotGranted');
    await later(day);
    expect(scene.provider.sets(zone)).toEqual(sets);
  });

  test('takes nothing for removed while the provider is merely silent', async () => {
    await scene.remove('MailExchanger', 'mx');
    scene.providerIsLost = new MailsealError('ProviderUnavailable', 'it does not answer');
    byHand('_25._tcp.mx1.example.com', 'TLSA');
    byHand('_mailseal.mx1.example.com', 'TXT');
    await later(day);
    expect([hasEnded(), scene.state() === undefined]).toEqual([false, false]);
  });
});

test('a pod that shows the policy no more is noticed at once when someone asks for a look', async () => {
  let lost = false;
  const begun = scene.begin();
  const fetch: PolicyWatchOptions['fetch'] = async ({ address }) => {
    const [body, time] = [await scene.policy(), scene.now()];
    if (lost || typeof body !== 'string') return { address, at: time, outcome: 'Failed', detail: 'answers 404' };
    const { spkiSha256 } = key('c');
    return { address, at: time, outcome: 'Fetched', body, contentType: 'text/plain', spkiSha256 };
  };
  const world = { ...begun, policyWatch: createPolicyWatch({ clock: begun.clock, fetch }) };
  await scene.remove('MailDomain', 'news');
  await scene.run(() => reason() === 'PromiseHeld', { world });
  lost = true;
  await scene.askRetirement();
  for (let looks = 0; looks < 3; looks += 1) {
    await scene.look(world);
    scene.pass(10_000);
  }
  expect(reason()).not.toBe('PromiseHeld');
});

describe('a Retirement that someone removes', () => {
  test('leaves everything standing, frees the domain and says so', async () => {
    await scene.remove('MailDomain', 'news');
    const world = await scene.run(() => reason() === 'PromiseHeld');
    const sets = scene.provider.sets(zone);
    await scene.removeRetirement();
    await scene.run(() => scene.events.some((note) => note.reason === 'Orphaned'), { world });
    expect(scene.provider.sets(zone)).toEqual(sets);
    expect(await scene.policy()).toContain('mode: none');
    const key = scene.domainState()?.key;
    await scene.createDomain({}, { name: 'another' });
    await scene.run(isPublished, { world });
    expect(await scene.policy()).toContain('mode: testing');
    expect(scene.domainState()?.key).toEqual(key);
  });

  test('while no operator was there frees the domain for whoever asks for it next', async () => {
    await scene.remove('MailDomain', 'news');
    await scene.run(() => reason() === 'PromiseHeld');
    await scene.removeRetirement();
    await scene.createDomain({}, { name: 'another' });
    await scene.run(isPublished);
    expect(await scene.policy()).toContain('mode: testing');
  });

  test('that has ended by itself is told of by nobody', async () => {
    await scene.remove('MailDomain', 'news');
    await scene.run(() => scene.retirement()?.status?.due !== undefined);
    scene.pass(Date.parse(scene.retirement()?.status?.due ?? '') - scene.now());
    await scene.run(hasEnded);
    await later(60_000);
    expect(scene.events.filter((note) => note.reason === 'Orphaned')).toEqual([]);
  });
});

describe('what was left as an orphan', () => {
  test('is taken over as it stands by an object that is made for it again: no other id, key or certificate', async () => {
    await scene.edited({ deletionPolicy: 'Orphan' });
    await scene.remove('MailDomain', 'news');
    await scene.run(() => scene.mailDomain() === undefined);
    const [sets, state] = [scene.provider.sets(zone), scene.domainState()];
    await scene.createDomain();
    await scene.run(isPublished);
    await later(60_000);
    expect(scene.provider.sets(zone)).toEqual(sets);
    expect(scene.domainState()).toEqual(state);
  });
});
