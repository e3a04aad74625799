import { describe, expect, test } from 'vitest';
import { MailsealError } from '../../src/errors.ts';
import { observeCaa } from '../../src/observe/caa.ts';
import { fakeResolver, type FakeWorld } from '../fakes/resolver.ts';

const ca = { identities: ['ca.example'], accountUrl: 'https://ca.example/acct/7' };

/** What is seen, the names that were asked for, and how often the CA was. */
async function seen(world: FakeWorld, names: readonly string[], inCaa = async () => ca) {
  const [asked, calls]: [string[], number[]] = [[], []];
  const resolver = fakeResolver(world);
  const lookup: typeof resolver.lookup = (name, type) => {
    asked.push(name);
    return resolver.lookup(name, type);
  };
  const observed = await observeCaa({ lookup }, { inCaa: () => (calls.push(1), inCaa()) }, names);
  return { ...observed, asked, calls: calls.length };
}
const issue = ['0 issue "ca.example"'];

describe('the set that counts is', () => {
  test.each<readonly [string, FakeWorld['records'], object | undefined]>([
    ['the one at the name', { 'mx.a.example CAA': issue }, { at: 'mx.a.example', values: issue }],
    ['the closest', { 'a.example CAA': issue, 'example CAA': ['0 issue ";"'] }, { at: 'a.example', values: issue }],
    ['one far up', { 'mx.a.example A': ['192.0.2.1'], 'example CAA': issue }, { at: 'example', values: issue }],
    [
      'the one that a CNAME leads to',
      { 'mx.a.example CNAME': ['b.example'], 'b.example CAA': issue },
      { at: 'b.example', values: issue },
    ],
    [
      'above the name, not above what its CNAME leads to',
      { 'mx.a.example CNAME': ['x.b.example'], 'b.example CAA': ['0 issue ";"'], 'a.example CAA': issue },
      { at: 'a.example', values: issue },
    ],
    ['nowhere', { 'mx.a.example A': ['192.0.2.1'] }, undefined],
  ])('%s', async (_, records, set) => {
    const world: FakeWorld = { records };
    expect((await seen(world, ['mx.a.example'])).looks).toEqual([{ name: 'mx.a.example', set }]);
  });

  test('for a wildcard that of the name below its asterisk', async () => {
    const { looks } = await seen({ records: { 'a.example CAA': issue } }, ['*.a.example']);
    expect(looks).toEqual([{ name: '*.a.example', set: { at: 'a.example', values: issue } }]);
  });
});

test.each(['Bogus', 'ServFail', 'Unreachable'] as const)(
  '%s ends the climb: what is above must not count',
  async (outcome) => {
    const world: FakeWorld = { records: { 'example CAA': issue }, failing: { 'a.example': outcome } };
    const { looks } = await seen(world, ['a.example']);
    expect(looks).toMatchObject([{ set: undefined, failed: { at: 'a.example', outcome } }]);
  },
);

test('no name is asked for twice, and the root never', async () => {
  const { asked } = await seen({ records: {} }, ['mx1.a.example', 'mx2.a.example']);
  expect(asked.toSorted()).toEqual(['a.example', 'example', 'mx1.a.example', 'mx2.a.example']);
});

describe('the CA is asked who it is', () => {
  test('only where there is a set', async () => {
    expect((await seen({ records: {} }, ['a.example'])).calls).toBe(0);
    expect(await seen({ records: { 'a.example CAA': issue } }, ['a.example'])).toMatchObject({ calls: 1, ca });
  });

  test('in vain, and then it may be any', async () => {
    const away = () => Promise.reject(new MailsealError('ACMEUnavailable', 'away'));
    const { ca: known } = await seen({ records: { 'a.example CAA': issue } }, ['a.example'], away);
    expect(known).toEqual({ identities: [], accountUrl: undefined });
  });
});
