import { beforeEach, expect, test } from 'vitest';
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
