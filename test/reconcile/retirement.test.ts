import { beforeEach, describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { createRetirementScene, domain, type RetirementScene } from './retirement-scene.ts';
import { strangers, zone } from './scene.ts';
import type { Retirement } from '../../src/api/types.ts';

const day = 86_400_000;
let scene: RetirementScene;
beforeEach(async () => {
  scene = await createRetirementScene();
});
const ready = (): boolean =>
  conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True' &&
  conditionOf(scene.mailDomain()?.status?.conditions, 'RecordsPublished')?.status === 'True';
const reason = (): string | undefined => conditionOf(scene.retirement()?.status?.conditions, 'Ready')?.reason;
const left = (kind: string): readonly string[] =>
  scene.kube
    .dump()
    .filter((object) => object.kind === kind)
    .map(({ metadata }) => metadata.name)
    .sort();
const id = (): string | undefined => scene.setOf(`_mta-sts.${domain}`, 'TXT')?.[0];

async function lose(what: 'domain' | 'exchanger'): Promise<void> {
  const [name = ''] = left('Secret').filter((one) => one.startsWith(`mailseal-${what}`));
  await scene.kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'mailseal', name });
}

async function announced(): Promise<void> {
  await scene.createDomain();
  await scene.run(ready);
}

describe('a domain that is deleted', () => {
  test('goes at once, turns to none under a new id, is held to its last promise, and then nothing of ours is left', async () => {
    await announced();
    const before = id();
    const began = scene.now();
    await scene.remove('MailDomain', 'news');
    const world = await scene.run(() => scene.mailDomain() === undefined);
    expect(scene.now() - began).toBeLessThan(1000);
    await scene.run(() => reason() === 'PromiseHeld', { world });
    expect(await scene.policy()).toContain('mode: none');
    expect(id()).not.toBe(before);
    expect(scene.setOf(`_smtp._tls.${domain}`, 'TXT')).toBeDefined();
    const due = Date.parse(scene.retirement()?.status?.due ?? '');
    expect(due - scene.now()).toBeGreaterThan(day - 60_000);

    const settled = scene.now() + 5 * 60_000;
    await scene.run(() => scene.now() >= settled, { world });
    const writes = scene.writes();
    const early = due - day / 8;
    await scene.run(() => scene.now() >= early, { world });
    expect(scene.writes()).toBe(writes);
    expect(await scene.policy()).toContain('mode: none');

    const order: string[] = [];
    const seen = (what: string, gone: boolean): void => {
      if (gone && !order.includes(what)) order.push(what);
    };
    let served: string | null | undefined = 'yes';
    await scene.run(async () => {
      served = await scene.policy();
      seen('txt', id() === undefined);
      seen('address', scene.setOf(`mta-sts.${domain}`, 'A') === undefined);
      seen('policy', served === undefined);
      return scene.retirement() === undefined;
    });
    expect(order).toEqual(['txt', 'address', 'policy']);
    expect(scene.provider.sets(zone).filter(({ name }) => name.endsWith(domain))).toEqual([]);
    expect(scene.domainState()).toBeUndefined();
    for (const stranger of strangers) expect(scene.provider.sets(zone)).toContainEqual(stranger);
    expect(left('ConfigMap')).toHaveLength(1);
  });

  test('waits the TTL of its TXT records before the address goes', async () => {
    await announced();
    await scene.remove('MailDomain', 'news');
    let txtGone = 0;
    await scene.run(
      () => {
        if (id() === undefined && txtGone === 0) txtGone = scene.now();
        return scene.setOf(`mta-sts.${domain}`, 'A') === undefined;
      },
      { looks: 600 },
    );
    expect(scene.now() - txtGone).toBeGreaterThanOrEqual(600_000);
  });

  test('goes within a second where provider, issuer and credentials have gone, and says what is missing', async () => {
    await announced();
    scene.issuerIsGone = true;
    await scene.kube.remove({ apiVersion: 'mailseal.dev/v1alpha1', kind: 'DNSProvider', name: 'main' });
    const began = scene.now();
    await scene.remove('MailDomain', 'news');
    await scene.run(() => scene.mailDomain() === undefined);
    expect(scene.now() - began).toBeLessThan(1000);
    await scene.run(() => conditionOf(scene.retirement()?.status?.conditions, 'Stalled') !== undefined);
    expect(reason()).toBe('IssuerNotFound');
    expect(await scene.policy()).toContain('mode: none');
  });

  test('that never announced anything leaves at once', async () => {
    await scene.createDomain({ exchangerRefs: [{ name: 'missing' }] });
    await scene.run(() => conditionOf(scene.mailDomain()?.status?.conditions, 'Ready')?.status === 'False');
    const began = scene.now();
    await scene.remove('MailDomain', 'news');
    await scene.run(() => scene.mailDomain() === undefined && scene.retirement() === undefined);
    expect(scene.now() - began).toBeLessThan(60_000);
    expect(scene.domainState()).toBeUndefined();
  });

  test('and is made again takes the domain back: its history is kept, and its policy is a new publication', async () => {
    await announced();
    const ids = new Set([id()]);
    await scene.remove('MailDomain', 'news');
    await scene.run(() => reason() === 'PromiseHeld');
    ids.add(id());
    await scene.createDomain();
    await scene.run(() => !ids.has(id()) && ready());
    expect(scene.retirement()).toBeUndefined();
    expect(await scene.policy()).toContain('mode: testing');
    expect(scene.domainState()?.publications).toHaveLength(3);
    expect(left('ConfigMap')).toHaveLength(2);
  });

  test('is not free for its twin that waits, which may be unable to go on from it', async () => {
    await announced();
    await scene.createDomain({ exchangerRefs: [{ name: 'missing' }] }, { name: 'twin' });
    await scene.remove('MailDomain', 'news');
    await scene.run(() => reason() === 'PromiseHeld');
    expect(conditionOf(scene.mailDomain()?.status?.conditions, 'Stalled')).toMatchObject({ reason: 'Conflict' });
  });

  test('is not free for another namespace while it is being retired', async () => {
    await announced();
    await scene.remove('MailDomain', 'news');
    await scene.run(() => reason() === 'PromiseHeld');
    await scene.grant({ allowedNamespaces: { names: ['mail', 'elsewhere'] } });
    await scene.createDomain({}, { name: 'theirs', namespace: 'elsewhere' });
    await scene.run(() => conditionOf(scene.mailDomain()?.status?.conditions, 'Stalled') !== undefined);
    expect(conditionOf(scene.mailDomain()?.status?.conditions, 'Stalled')?.message).toContain('still being retired');
    expect(reason()).toBe('PromiseHeld');
  });

  test('that is another object’s withdraws nothing', async () => {
    await announced();
    await scene.createDomain({}, { name: 'second' });
    const twice = (): number => left('MailDomain').length;
    await scene.run(() => twice() === 2);
    await scene.remove('MailDomain', 'second');
    await scene.run(() => twice() === 1);
    expect(scene.retirement()).toBeUndefined();
    expect(await scene.policy()).toContain('mode: testing');
  });

  test('as an orphan leaves everything standing, and is free for others', async () => {
    await scene.createDomain({ deletionPolicy: 'Orphan' });
    await scene.run(ready);
    const [sets, policy] = [scene.provider.sets(zone), await scene.policy()];
    await scene.remove('MailDomain', 'news');
    await scene.run(() => scene.mailDomain() === undefined);
    scene.pass(day);
    await scene.run(() => true);
    expect(scene.provider.sets(zone)).toEqual(sets);
    expect(await scene.policy()).toBe(policy);
    expect([left('Retirement'), left('ConfigMap')]).toEqual([[], [expect.stringContaining('claim-host')]]);
  });

  test('whose state is lost goes on from what the DNS shows of it, and removes nothing before its promise has passed', async () => {
    await announced();
    const [former] = id()?.match(/[0-9]{14}[0-9a-f]{8}/u) ?? [];
    await lose('domain');
    await scene.remove('MailDomain', 'news');
    // So that there is no certificate to serve the withdrawal with.
    scene.issuerIsGone = true;
    const sets = scene.provider.sets(zone);
    await scene.run(() => scene.domainState()?.publications.at(-1)?.mode === 'none');
    expect(scene.domainState()?.publications).toMatchObject([{ id: former, adopted: true }, { mode: 'none' }]);
    const until = scene.now() + day / 4;
    await scene.run(() => scene.now() >= until, { looks: 3000 });
    expect(scene.provider.sets(zone)).toEqual(sets);
  });

  test('whose state is lost while its records are a stranger’s says so, and touches nothing', async () => {
    await announced();
    await lose('domain');
    const theirs = ['heritage=mailseal,owner=cluster-number-2'];
    scene.provider.setByHand(zone, { name: `_mailseal.${domain}`, type: 'TXT', ttl: 300, values: theirs });
    await scene.remove('MailDomain', 'news');
    const sets = scene.provider.sets(zone);
    await scene.run(() => conditionOf(scene.retirement()?.status?.conditions, 'Stalled') !== undefined);
    expect(reason()).toBe('StateUnreadable');
    expect(scene.provider.sets(zone)).toEqual(sets);
  });
});

describe('an exchanger that is deleted', () => {
  const tlsa = (): readonly string[] | undefined => scene.setOf('_25._tcp.mx1.example.com', 'TLSA');
  const mark = (): readonly string[] | undefined => scene.setOf('_mailseal.mx1.example.com', 'TXT');
  const standing = (): boolean => conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True';

  test('goes at once, its TLSA records first, then their TTL, then the marks; the Secret of the hosts stays', async () => {
    await scene.run(standing);
    const mounted = scene.mounted();
    await scene.remove('MailExchanger', 'mx');
    await scene.run(() => scene.exchanger() === undefined);
    await scene.run(() => tlsa() === undefined);
    const gone = scene.now();
    expect(mark()).toBeDefined();
    await scene.run(() => mark() === undefined);
    expect(scene.now() - gone).toBeGreaterThanOrEqual(3_600_000);
    await scene.run(() => scene.retirement() === undefined);
    expect(scene.provider.sets(zone)).toEqual(strangers);
    expect(scene.mounted()).toEqual(mounted);
    expect([left('ConfigMap'), scene.state()]).toEqual([[], undefined]);
  });

  test('and whose state is lost is withdrawn all the same, as far as its marks reach', async () => {
    await scene.run(standing);
    await lose('exchanger');
    await scene.remove('MailExchanger', 'mx');
    await scene.run(() => tlsa() === undefined);
    const gone = scene.now();
    await scene.run(() => mark() === undefined);
    expect(scene.now() - gone).toBeGreaterThanOrEqual(3_600_000);
    await scene.run(() => scene.retirement() === undefined);
    expect(scene.provider.sets(zone)).toEqual(strangers);
    expect([left('ConfigMap'), scene.state()]).toEqual([[], undefined]);
  });

  test('has its certificate renewed, with the same key, until the last domain that names its hosts has ended', async () => {
    await announced();
    await scene.run(standing);
    const before = scene.mounted();
    await scene.remove('MailDomain', 'news');
    await scene.remove('MailExchanger', 'mx');
    const kept = (): Retirement | undefined => scene.retirements().find(({ spec }) => spec.what === 'Exchanger');
    const held = (): boolean => conditionOf(kept()?.status?.conditions, 'Ready')?.reason === 'PromiseHeld';
    const world = await scene.run(held);
    expect([mark(), tlsa()]).toEqual([undefined, undefined]);
    await scene.ageCertificate();
    await scene.run(() => scene.mounted()?.chain !== before?.chain, { world });
    expect(scene.mounted()?.key).toBe(before?.key);
    await scene.run(() => scene.retirements().length === 0, { looks: 2000 });
    expect([left('ConfigMap'), left('Secret').filter((name) => name.startsWith('mailseal-exchanger'))]).toEqual([
      [],
      [],
    ]);
  });

  test('and is made again goes on with the same keys', async () => {
    await scene.run(standing);
    const [object, keys, records] = [scene.exchanger(), scene.state()?.keys, tlsa()];
    if (object === undefined) throw new Error('it has gone');
    await scene.remove('MailExchanger', 'mx');
    await scene.run(() => tlsa() === undefined);
    const { name, namespace = '' } = object.metadata;
    const { apiVersion, kind, spec } = object;
    await scene.kube.create({ apiVersion, kind, metadata: { name, namespace }, spec });
    await scene.run(() => standing() && tlsa() !== undefined);
    expect([scene.retirement(), scene.state()?.keys, tlsa()]).toEqual([undefined, keys, records]);
  });

  test('as an orphan leaves everything standing and frees the host', async () => {
    await scene.run(standing);
    const object = scene.exchanger();
    if (object === undefined) throw new Error('it has gone');
    await scene.kube.replace({ ...object, spec: { ...object.spec, deletionPolicy: 'Orphan' } });
    const sets = scene.provider.sets(zone);
    await scene.remove('MailExchanger', 'mx');
    await scene.run(() => scene.exchanger() === undefined);
    expect(scene.provider.sets(zone)).toEqual(sets);
    expect([left('Retirement'), left('ConfigMap')]).toEqual([[], []]);
  });
});
