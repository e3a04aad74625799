import { beforeEach, describe, expect, test } from 'vitest';
import { type Claimant, createClaims } from '../../src/apply/claims.ts';
import { MailsealError } from '../../src/errors.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

const one: Claimant = { kind: 'MailDomain', namespace: 'secret-customer', name: 'example' };
const other: Claimant = { kind: 'MailExchanger', namespace: 'mail', name: 'example' };
let kube: FakeKube;
beforeEach(() => {
  kube = createFakeKube();
});
const claims = () => createClaims(kube, 'mailseal');
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

test('of many that claim at once exactly one gets it', async () => {
  const all = Array.from({ length: 20 }, (_, n) =>
    claims().hold('host', 'mx.example.com', { ...other, name: `mx-${n}` }),
  );
  const results = await Promise.allSettled(all);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(standing()).toBe(1);
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

test.each(['', 'MailExchanger'])('a claim spoilt by hand belongs to nobody who asks (kind %j)', async (kind) => {
  await claims().hold('domain', 'example.com', one);
  const [claim] = kube.dump();
  if (claim === undefined) throw new Error('there is no claim');
  await kube.replace({ ...claim, data: { kind } } as typeof claim);
  await expect(claims().hold('domain', 'example.com', one)).rejects.toMatchObject({ reason: 'Conflict' });
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
