import { describe, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type DNSProvider, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import type { ObjectPreview } from '../../src/preview/preview.ts';
import { createDomainScene } from '../reconcile/domain-scene.ts';
import { createScene, runUntil, type Scene, zone } from '../reconcile/scene.ts';
import { planned, previewWorld, recordsOf, said } from './scene.ts';
import { previewAll } from '../../src/preview/objects.ts';

const isReady = (scene: Scene): boolean =>
  conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True';

function only(objects: readonly ObjectPreview[], kind = 'MailExchanger'): ObjectPreview {
  const [found, other] = objects.filter((one) => one.kind === kind);
  if (found === undefined || other !== undefined) throw new Error(`not one ${kind}: ${JSON.stringify(objects)}`);
  return found;
}

describe('an exchanger', () => {
  test('that is new is shown with all that will come, and in the same words each time', async () => {
    const scene = await createScene();
    const { changes, later, error } = only(await planned(scene));
    expect(error).toBeUndefined();
    expect(changes).toEqual([expect.objectContaining({ action: 'certificate' })]);
    expect(recordsOf(later)).toEqual(['create _mailseal.mx1.example.com TXT', 'create _25._tcp.mx1.example.com TLSA']);
    expect(later.map(({ action }) => action)).toContain('deliver');
    const { text } = said(await planned(scene));
    expect(text).toContain(
      '  later: + _25._tcp.mx1.example.com 3600 TLSA 3 1 1 (of the first key, made then) | 3 1 1 (of the second key, made then)',
    );
    expect(text).toContain('      when: every host presents the key');
    expect(said(await planned(scene))).toEqual({ text, code: 2 });
  });

  test('is shown at each step with just the records that the next look writes', async () => {
    const scene = await createScene();
    const world = scene.start();
    let shown: readonly string[] = [];
    let steps = 0;
    for (let look = 0; look < 200 && !isReady(scene); look += 1) {
      const { changes } = only(await planned(scene));
      shown = recordsOf(changes);
      const before = scene.provider.applied.length;
      await runUntil(scene, () => true, { world, looks: 1 });
      const wrote = scene.provider.applied.slice(before).flat();
      expect(
        wrote.map(({ name, type, before: was }) => `${was === undefined ? 'create' : 'update'} ${name} ${type}`),
      ).toEqual(shown);
      steps += wrote.length;
      scene.pass(30_000);
    }
    expect([isReady(scene), steps]).toEqual([true, 2]);
  });

  test('at rest has nothing to change, and exit code 0', async () => {
    const scene = await createScene();
    await runUntil(scene, () => isReady(scene));
    scene.pass(3_600_000);
    const { text, code } = said(await planned(scene));
    expect(text).toContain('  nothing to change');
    expect(code).toBe(0);
  });

  test('whose hosts were changed shows what goes and what comes', async () => {
    const scene = await createScene();
    await runUntil(scene, () => isReady(scene));
    await scene.edit({ hosts: ['mx2.example.com'] });
    const { changes, later } = only(await planned(scene));
    const all = [...recordsOf(changes), ...recordsOf(later)];
    expect(all).toContain('delete _25._tcp.mx1.example.com TLSA');
    expect(all.some((one) => one.startsWith('create ') && one.includes('mx2.example.com'))).toBe(true);
  });

  test('that is suspended shows what it would do when it goes on', async () => {
    const scene = await createScene();
    await runUntil(scene, () => isReady(scene));
    await scene.edit({ hosts: ['mx1.example.com'], suspend: true });
    scene.provider.setByHand(zone, { name: '_25._tcp.mx1.example.com', type: 'TLSA', ttl: 3600, values: [] });
    const { changes, later } = only(await planned(scene));
    expect(recordsOf(changes)).toEqual([]);
    expect(later.find(({ record }) => record?.type === 'TLSA')?.when).toBe('spec.suspend is taken away');
  });

  test('of which a human publishes the records lists them by hand', async () => {
    const scene = await createScene({}, { manual: { contact: 'dns@example.com' } });
    await runUntil(scene, () => (scene.exchanger()?.status?.requiredRecords ?? []).length > 0);
    const { text, code } = said(await planned(scene));
    expect(text).toMatch(/ {2}by hand: _25\._tcp\.mx1\.example\.com 3600 TLSA 3 1 1 [0-9a-f]{64}/u);
    expect(code).toBe(2);
  });

  test('never shows a key', async () => {
    const scene = await createScene();
    await runUntil(scene, () => isReady(scene));
    await scene.edit({ hosts: ['mx1.example.com', 'mx2.example.com'] });
    const objects = await planned(scene);
    const secrets = [scene.mounted()?.key ?? '', ...(scene.state()?.keys ?? []).map(({ pem }) => pem)];
    for (const text of [said(objects).text, JSON.stringify(objects)]) {
      expect(text).not.toContain('PRIVATE KEY');
      for (const secret of secrets) expect(text).not.toContain(secret.split('\n')[1]);
    }
  });
});

describe('a domain', () => {
  const issuer = { mtaSts: { issuerRef: { name: 'silent' } } };
  const text = async (spec: Partial<MailDomain['spec']>, annotations: Record<string, string> = {}) => {
    const scene = await createDomainScene();
    await scene.create('mail', { ...issuer, ...spec });
    const made = scene.domain('mail');
    if (made !== undefined) await scene.kube.replace({ ...made, metadata: { ...made.metadata, annotations } });
    return { scene, objects: await planned(scene, { exchangers: [] }) };
  };

  test('that is new is shown with its exchanger and all records, though a first look writes none', async () => {
    const { objects } = await text({ tlsRpt: { rua: ['mailto:a@example.com'] } });
    expect(objects.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['MailExchanger example', 'MailDomain example']);
    const { changes, later } = only(objects, 'MailDomain');
    expect(changes.map(({ what }) => what)).toEqual([
      'MailExchanger mail/example is made',
      'an order for mta-sts.example.com is opened at CertificateIssuer silent',
    ]);
    expect(recordsOf(later)).toEqual(['create _mailseal.example.com TXT', 'create _smtp._tls.example.com TXT']);
    const words = said(objects).text;
    expect(words).toContain('      when: the order of the certificate is open: they travel with its challenges');
    expect(words).toContain('  later: A and AAAA at mta-sts.example.com, the addresses of the policy Service');
    expect(words).toContain('  later: the policy is served at mta-sts.example.com: mode testing');
  });

  test('whose CAA records let no CA issue says so instead of an order', async () => {
    const scene = await createDomainScene();
    // No provider of ours writes such a set.
    const set = { name: 'example.com', type: 'CAA' as never, ttl: 300, values: ['0 issue ";"'] };
    scene.provider.setByHand(zone, set);
    await scene.create('mail', issuer);
    const { changes, later } = only(await planned(scene, { exchangers: [] }), 'MailDomain');
    expect(changes.map(({ what }) => what)).not.toContainEqual(expect.stringContaining('order'));
    const order = later.find(({ action }) => action === 'certificate');
    expect(order?.when).toContain('CAA at example.com forbids a certificate for mta-sts.example.com');
  });

  test("refuses a stranger's record, and says how to give it to Mailseal", async () => {
    const { objects } = await text({});
    const words = said(objects).text;
    expect(words).toContain('  refused: ForeignRecord: _mta-sts.example.com TXT already stands and is not ours');
    expect(words).toContain('mailseal.dev/adopt');
  });

  test('shows a record that is given to Mailseal, as it is and as it will be', async () => {
    const { objects } = await text({}, { 'mailseal.dev/adopt': '_mta-sts.example.com TXT' });
    const words = said(objects).text;
    expect(words).toContain('  later: ~ - _mta-sts.example.com 300 TXT "v=STSv1; id=theirs;"');
    expect(words).toMatch(/ {2}later: ~ \+ _mta-sts\.example\.com \d+ TXT "v=STSv1; id=\(made then\);"/u);
    expect(words).not.toContain('refused:');
  });

  test('of which two objects tell belongs to the first, and the other is told so', async () => {
    const scene = await createDomainScene();
    await scene.grantTo('mail', 'other');
    for (const namespace of ['mail', 'other']) await scene.create(namespace, issuer);
    const objects = await planned(scene, { exchangers: [] });
    const second = objects.find(({ namespace, kind }) => namespace === 'other' && kind === 'MailDomain');
    expect(second?.error?.reason).toBe('Conflict');
    expect(
      only(
        objects.filter(({ namespace }) => namespace === 'mail'),
        'MailDomain',
      ).error,
    ).toBeUndefined();
    expect(scene.claims()).toEqual([]);
    expect(said(objects).code).toBe(1);
  });

  test('with a field that is wrong is an error, and the others are planned all the same', async () => {
    const scene = await createDomainScene();
    await scene.create('mail', { ...issuer, domain: 'localhost' });
    const { text: words, code } = said(await planned(scene));
    expect(words).toContain('  error: InvalidDomain: spec.domain "localhost" is a single label');
    expect(words).toContain('MailExchanger mail/mx (mx9.example.com)');
    expect(code).toBe(1);
  });
});

test('a list of hosts that was cut short is shown with the guard that will stop it', async () => {
  const hosts = Array.from({ length: 12 }, (_, at) => `mx${at + 1}.example.com`);
  const scene = await createScene({ hosts });
  for (const [at, name] of hosts.entries())
    scene.provider.setByHand(zone, { name, type: 'A', ttl: 300, values: [`192.0.2.${at + 1}`] });
  await runUntil(scene, () => isReady(scene));
  expect(only(await planned(scene)).waits.map(({ what }) => what)).not.toContainEqual(expect.stringContaining('20 %'));
  await scene.edit({ hosts: ['mx1.example.com'] });
  const { waits } = only(await planned(scene));
  expect(waits[0]?.what).toContain('mailseal.dev/allow-changes-until');
});

describe('a grant', () => {
  const provider = (scene: Scene): DNSProvider => {
    const [found] = scene.start().cache.providers();
    if (found === undefined) throw new Error('there is none');
    return found;
  };

  test('is judged: every zone must answer', async () => {
    const scene = await createScene();
    const good = provider(scene);
    const bad: DNSProvider = { ...good, spec: { ...good.spec, zones: [zone, 'elsewhere.example'] } };
    const judge = (one: DNSProvider) => planned(scene, { providers: [one], exchangers: [] });
    expect((await judge(good))[0]?.error).toBeUndefined();
    await scene.kube.replace(bad);
    expect((await judge(bad))[0]?.error).toMatchObject({ reason: 'ZoneNotFound' });
  });

  test('of a CA is judged without a word to the CA', async () => {
    const scene = await createDomainScene();
    const issuers = scene.start().cache.issuers();
    const objects = await planned(scene, { issuers, exchangers: [] });
    expect(objects.map(({ name, error }) => [name, error])).toEqual([
      ['own', undefined],
      ['silent', undefined],
    ]);
  });
});

test('whatever a plan tries to write is refused', async () => {
  const scene = await createScene();
  const world = previewWorld(scene.start());
  const object: MailExchanger = {
    apiVersion,
    kind: 'MailExchanger',
    metadata: { name: 'a', namespace: 'mail' },
    spec: { hosts: [] },
  };
  const ref = { apiVersion, kind: 'MailExchanger', name: 'mx', namespace: 'mail' };
  const provider = await world.providerOf('main');
  const tries: readonly (() => Promise<unknown>)[] = [
    () => world.kube.create(object),
    () => world.kube.replace(object),
    () => world.kube.apply(object, { fieldManager: 'x' }),
    () => world.kube.annotate(ref, { a: 'b' }),
    () => world.kube.remove(ref),
    () => provider.apply(zone, []),
    () => world.store.remove('exchanger', 'mail/mx', '1'),
    () => world.shards.unserve('mta-sts.example.com'),
    () => world.zoneWriter.submit({ provider: 'main', zone }, [], { urgency: 'now', owner: 'x' }),
    () => world.statusWriter.write(object, {}, []),
  ];
  for (const attempt of tries) await expect(attempt()).rejects.toThrow();
  expect(scene.kube.dump().find(({ metadata }) => metadata.name === 'a')).toBeUndefined();
  expect(await previewAll(world, { providers: [], issuers: [], exchangers: [], domains: [] })).toEqual([]);
});
