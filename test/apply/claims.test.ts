import { beforeEach, describe, expect, test } from 'vitest';
import { apiVersion } from '../../src/api/types.ts';
import { type Claimant, createClaims } from '../../src/apply/claims.ts';
import { MailsealError } from '../../src/errors.ts';
import { claimScenarios } from './claim-scenarios.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

const one: Claimant = { kind: 'MailDomain', namespace: 'secret-customer', name: 'example' };
const other: Claimant = { kind: 'MailExchanger', namespace: 'mail', name: 'example' };
let kube: FakeKube;
beforeEach(() => {
  kube = createFakeKube();
  time = Date.UTC(2026, 10, 22);
});
let time: number;
const claims = () => createClaims(kube, 'mailseal', { now: () => time });
const standing = () => kube.dump().filter(({ kind }) => kind === 'ConfigMap').length;

test('the first has it, on every look and after every restart, with one write', async () => {
  const first = claims();
  await first.hold('domain', 'example.com', one);
  await first.hold('domain', 'example.com', one);
  await claims().hold('domain', 'example.com', one);
  expect(kube.writes()).toHaveLength(1);
});

test('the second is told the holder’s kind, and neither its name nor its namespace', async () => {
  await claims().hold('domain', 'example.com', one);
  const error: unknown = await claims()
    .hold('domain', 'example.com', other)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MailsealError);
  expect(error).toMatchObject({
    reason: 'Conflict',
    kind: 'Stalled',
    message: expect.stringContaining('another MailDomain'),
  });
  expect(String(error)).not.toContain('secret-customer');
});

test.each(claimScenarios)('in the fake API, $sentence', async ({ run, want }) => {
  expect(await run(kube, 'mailseal', 'example.com')).toEqual(want);
});

test('a name as a domain and as a host are two things', async () => {
  await claims().hold('domain', 'example.com', one);
  await claims().hold('host', 'example.com', other);
  expect(standing()).toBe(2);
});

test('a claim that was written and whose answer was lost is ours on the next look', async () => {
  kube.setFault(({ verb }) => {
    if (verb !== 'create') return undefined;
    return () => {
      throw new Error('killed');
    };
  });
  await expect(claims().hold('domain', 'example.com', one)).rejects.toThrow('killed');
  kube.setFault(() => undefined);
  await claims().hold('domain', 'example.com', one);
  await expect(claims().hold('domain', 'example.com', other)).rejects.toMatchObject({ reason: 'Conflict' });
});

test('given up, it is free', async () => {
  const first = claims();
  await first.hold('domain', 'example.com', one);
  await first.release('domain', 'example.com', one);
  await claims().hold('domain', 'example.com', other);
  await expect(first.hold('domain', 'example.com', one)).rejects.toMatchObject({ reason: 'Conflict' });
});

test('nobody gives up another’s', async () => {
  await claims().hold('domain', 'example.com', one);
  await claims().release('domain', 'example.com', other);
  await claims().release('domain', 'nobody.example', other);
  await expect(claims().hold('domain', 'example.com', other)).rejects.toMatchObject({ reason: 'Conflict' });
});

async function spoil(data: Readonly<Record<string, string>>): Promise<void> {
  const [claim] = kube.dump().filter(({ kind }) => kind === 'ConfigMap');
  if (claim === undefined) throw new Error('there is no claim');
  await kube.replace({ ...claim, data } as typeof claim);
}
const heldBy = async (claimant: Claimant, rightful?: Claimant): Promise<string> =>
  claims()
    .hold('domain', 'example.com', claimant, async () => rightful)
    .then(() => 'held')
    .catch((thrown: unknown) => (thrown instanceof MailsealError ? `${thrown.reason}: ${thrown.message}` : 'failed'));

describe('a claim that was spoilt by hand', () => {
  beforeEach(() => claims().hold('domain', 'example.com', one));

  test.each<readonly [string, Readonly<Record<string, string>>]>([
    ['no data', {}],
    ['a kind that is none of ours', { kind: 'Pod', namespace: 'mail', name: 'example' }],
    ['a holder without a name', { formatVersion: '1', kind: 'MailDomain', namespace: 'mail', name: '' }],
    ['words for a version', { formatVersion: 'x', kind: 'MailDomain' }],
  ])('(%s) is made anew for whom the durable state names, whoever asks first', async (_, data) => {
    await spoil(data);
    expect(await heldBy(other, one)).toContain('Conflict: example.com belongs to another MailDomain');
    expect(await heldBy(one)).toBe('held');
    expect(await heldBy(other)).toContain('Conflict');
    expect(standing()).toBe(1);
  });

  test('is anyone’s of whom nothing is known, and of many that ask at once one gets it', async () => {
    await spoil({ kind: '' });
    const asked = Array.from({ length: 20 }, (_, n) => heldBy({ ...one, name: `d${n}` }));
    expect((await Promise.all(asked)).filter((outcome) => outcome === 'held')).toHaveLength(1);
    expect(standing()).toBe(1);
  });

  test('is left to the retirement of its holder all the same', async () => {
    await spoil({});
    expect(await claims().pass('domain', 'example.com', one, false)).toBe(false);
    expect(await claims().pass('domain', 'example.com', one, true)).toBe(true);
    expect(await heldBy(other)).toContain('still being retired');
  });

  test('to name another object gives it to that one', async () => {
    const first = claims();
    await first.hold('domain', 'example.com', one);
    await spoil({ formatVersion: '1', claimed: 'example.com', ...other });
    expect(await heldBy(other)).toBe('held');
    time += 11 * 60_000;
    await expect(first.hold('domain', 'example.com', one)).rejects.toMatchObject({ reason: 'Conflict' });
  });

  test('and one that a later version wrote is left as it is', async () => {
    await spoil({ formatVersion: '2', holder: 'MailDomain mail/example' });
    expect(await heldBy(one)).toContain('StateUnreadable');
    expect(
      await claims()
        .pass('domain', 'example.com', one, true)
        .catch(() => 'refused'),
    ).toBe('refused');
  });
});

describe('a claim that was lost', () => {
  test('is made anew for whom the durable state names, before anyone else gets it', async () => {
    expect(await heldBy(other, one)).toContain('belongs to another MailDomain');
    expect(await heldBy(one)).toBe('held');
  });

  test('is noticed by its holder, who is still at work', async () => {
    const first = claims();
    await first.hold('domain', 'example.com', one);
    const [claim] = kube.dump();
    await kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'mailseal', name: claim?.metadata.name ?? '' });
    time += 11 * 60_000;
    await first.hold('domain', 'example.com', one);
    expect(await heldBy(other)).toContain('Conflict');
  });

  test('of an object that does not exist any more stays, and says who frees it', async () => {
    await claims().hold('domain', 'example.com', one);
    const refused = await heldBy(other);
    expect(refused).toMatch(
      /does not exist any more: make that object again .* \(ConfigMap mailseal-claim-domain-\w+ in/u,
    );
    expect(refused).not.toContain('secret-customer');
    await kube.create({ apiVersion, kind: 'MailDomain', metadata: { namespace: one.namespace, name: one.name } });
    expect(await heldBy(other)).toMatch(/belongs to another MailDomain already; ask your administrator/u);
  });
});

describe('an MX host where a policy would be served', () => {
  const exchanger: Claimant = { kind: 'MailExchanger', namespace: 'noc', name: 'mx' };

  test('is refused to every object but the domain’s', async () => {
    await claims().hold('domain', 'example.com', one);
    await expect(claims().hold('host', 'mta-sts.example.com', exchanger)).rejects.toMatchObject({
      reason: 'Conflict',
      message: expect.stringContaining('mta-sts.example.com is where the policy of example.com is served'),
    });
  });

  test('keeps its domain from others until it has another name', async () => {
    await claims().hold('host', 'mta-sts.example.com', exchanger);
    await kube.create({ apiVersion, kind: 'MailExchanger', metadata: { namespace: 'noc', name: 'mx' } });
    expect(await heldBy(one)).toContain('mta-sts.example.com, where the policy of example.com would be served');
    await claims().release('host', 'mta-sts.example.com', exchanger);
    expect(await heldBy(one)).toBe('held');
  });
});

test('names that are no one’s neighbour are claimed apart: above, below, and a domain called like a policy host', async () => {
  const names = ['example.com', 'mail.example.com', 'mta-sts.example.com', 'xn--bcher-kva.example.com'];
  for (const [n, name] of names.entries()) await claims().hold('domain', name, { ...one, namespace: `n${n}` });
  for (const [n, name] of ['example.com', 'mx.example.com'].entries()) {
    await claims().hold('host', name, { ...other, namespace: `h${n}` });
  }
  expect(standing()).toBe(6);
});

test.each<readonly [string, string, boolean]>([
  ['its own namespace', other.namespace, true],
  ['another namespace', 'elsewhere', false],
])('a further name of a certificate may be an MX host of %s: %s', async (_, namespace, allowed) => {
  await claims().hold('host', 'mx.example.com', other);
  await claims().hold('domain', 'example.com', { ...one, namespace: other.namespace });
  for (const name of ['mx.example.com', 'mta-sts.example.com', 'imap.example.com']) {
    const outcome = claims().share('host', name, { kind: 'MailExchanger', namespace, name: 'imap' });
    if (allowed || name.startsWith('imap')) await outcome;
    else await expect(outcome).rejects.toMatchObject({ reason: 'Conflict' });
  }
});

describe('a claim that is passed to a retirement', () => {
  const exchanger: Claimant = { kind: 'MailExchanger', namespace: 'secret-customer', name: 'mx' };
  const heirOf = (claimant: Claimant): Claimant => ({ ...claimant, kind: 'Retirement' });
  const refusal = (what: 'domain' | 'host', claimant: Claimant) =>
    claims()
      .hold(what, 'example.com', claimant)
      .then(() => 'held')
      .catch((thrown: unknown) => (thrown instanceof MailsealError ? thrown.message : thrown));

  test.each<readonly [string, 'domain' | 'host', Claimant, Claimant, boolean]>([
    ['a domain by the same object', 'domain', one, one, true],
    ['a domain by another name of the namespace', 'domain', one, { ...one, name: 'twin' }, false],
    ['a domain from another namespace', 'domain', one, { ...one, namespace: 'mail' }, false],
    ['a host by the same object', 'host', exchanger, exchanger, true],
    ['a host by another name of the namespace', 'host', exchanger, { ...exchanger, name: 'mx2' }, false],
    ['by the retirement itself', 'host', exchanger, heirOf(exchanger), true],
  ])('%s', async (_, what, before, after, taken) => {
    await claims().hold(what, 'example.com', before);
    expect(await claims().pass(what, 'example.com', before, false)).toBe(true);
    expect(await claims().pass(what, 'example.com', before, false)).toBe(true);
    const outcome = await refusal(what, after);
    expect(outcome).toEqual(taken ? 'held' : expect.stringContaining('still being retired'));
    expect(outcome).not.toContain('secret-customer');
    expect(standing()).toBe(1);
  });

  test('is not passed by anyone else, and nothing is written', async () => {
    await claims().hold('domain', 'example.com', one);
    const before = kube.writes().length;
    expect(await claims().pass('domain', 'example.com', other, true)).toBe(false);
    expect(kube.writes()).toHaveLength(before);
  });

  test('that was lost is made anew for who is known to have had it, and for nobody else', async () => {
    expect(await claims().pass('domain', 'example.com', one, false)).toBe(false);
    expect(standing()).toBe(0);
    expect(await claims().pass('domain', 'example.com', one, true)).toBe(true);
    expect(standing()).toBe(1);
  });

  test('is no longer the retirement’s once it was taken back', async () => {
    const all = claims();
    await all.hold('domain', 'example.com', one);
    await all.pass('domain', 'example.com', one, false);
    await all.hold('domain', 'example.com', heirOf(one));
    await all.hold('domain', 'example.com', one);
    await expect(all.hold('domain', 'example.com', heirOf(one))).rejects.toThrow('another MailDomain');
    await all.release('domain', 'example.com', heirOf(one));
    expect(standing()).toBe(1);
  });
});
