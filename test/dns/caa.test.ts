import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CaaApplicant, judgeCaa } from '../../src/dns/caa.ts';

const accountUrl = 'https://ca.example/acct/7';
const ours: CaaApplicant = { identities: ['ca.example', 'ca.example.net'], accountUrl, method: 'dns-01' };
const nameless: CaaApplicant = { ...ours, identities: [] };
const judged = (set: readonly string[], { wildcard = false, applicant = ours } = {}): string => {
  const verdict = judgeCaa(set, wildcard, applicant);
  return verdict.verdict === 'Allowed' ? 'Allowed' : verdict.why;
};

describe('an issue property lets in', () => {
  test.each<readonly [string, readonly string[]]>([
    ['the CA that it names', ['0 issue "ca.example"']],
    ['a CA by each of its names', ['0 issue "ca.example.net"']],
    ['a CA whatever the case', ['0 ISSUE "CA.Example"']],
    ['a CA among others', ['0 issue "other.example"', '0 issue "ca.example"', '0 issue ";"']],
    ['a CA with blanks around it', ['0 issue " \tca.example \t;  "']],
    ['any account without accounturi', ['0 issue "ca.example; policy=ev"']],
    ['our account', [`0 issue "ca.example; accounturi=${accountUrl}"`]],
    ['our account, with blanks around the sign', [`0 issue "ca.example ;  accounturi = ${accountUrl} "`]],
    ['our method', ['0 issue "ca.example; validationmethods=dns-01"']],
    ['our method among others', ['0 issue "ca.example; validationmethods=http-01,dns-01,ca-x"']],
    ['our account and method', [`0 issue "ca.example;accounturi=${accountUrl};validationmethods=dns-01"`]],
    ['a name of digits and hyphens', ['0 issue "ca.example"', '0 issue "9-ca--x.example"']],
    ['everyone, where there is none', ['0 iodef "mailto:me@example.com"', '0 issuewild ";"']],
    ['everyone, where an unknown tag is not critical', ['0 future "x"', '1 future "x"']],
    ['who is named beside a critical tag that is known', ['128 issue "ca.example"', '128 iodef "mailto:a@b.example"']],
  ])('%s', (_, set) => {
    expect(judged(set)).toBe('Allowed');
  });
});

describe('an issue property keeps out', () => {
  test.each<readonly [string, readonly string[], string]>([
    ['a CA that it does not name', ['0 issue "other.example"'], 'Issuer'],
    ['a CA below the one that it names', ['0 issue "example"'], 'Issuer'],
    ['everyone', ['0 issue ";"'], 'Issuer'],
    ['everyone, by an empty value', ['0 issue ""'], 'Issuer'],
    ['everyone, by a name that is none', ['0 issue "%%%%%"'], 'Issuer'],
    ['everyone, by a parameter without a value', ['0 issue "ca.example; policy"'], 'Issuer'],
    ['everyone, by a blank in a parameter', ['0 issue "ca.example; policy=a b"'], 'Issuer'],
    ['everyone, by a semicolon too many', [`0 issue "ca.example; policy=a;"`], 'Issuer'],
    ['everyone, by letters that no name has', ['0 issue "cä.example"'], 'Issuer'],
    ['everyone, by an empty label', ['0 issue "ca..example"'], 'Issuer'],
    ['another account', ['0 issue "ca.example; accounturi=https://ca.example/acct/8"'], 'Account'],
    ['our account in another case', ['0 issue "ca.example; accounturi=https://CA.example/acct/7"'], 'Account'],
    [
      'an account that is given twice',
      [`0 issue "ca.example; accounturi=${accountUrl}; accounturi=${accountUrl}"`],
      'Account',
    ],
    ['other methods', ['0 issue "ca.example; validationmethods=http-01"'], 'Method'],
    ['every method, by a blank', ['0 issue "ca.example; validationmethods=http-01, dns-01"'], 'Issuer'],
    ['every method, by an empty list', ['0 issue "ca.example; validationmethods="'], 'Method'],
    [
      'every method, given twice',
      ['0 issue "ca.example; validationmethods=dns-01; validationmethods=dns-01"'],
      'Method',
    ],
    ['whoever comes nearest, in its words', ['0 issue ";"', '0 issue "ca.example; accounturi=x:y"'], 'Account'],
    ['who is named, by a critical tag that is unknown', ['0 issue "ca.example"', '128 future "x"'], 'Critical'],
    ['who is named, by a critical record without a tag', ['0 issue "ca.example"', '255  "x"'], 'Critical'],
  ])('%s', (_, set, why) => {
    expect(judged(set)).toBe(why);
  });

  test('and says by which records', () => {
    const set = ['0 iodef "mailto:a@b.example"', '0 issue "a.example"', '0 issue "b.example"'];
    expect(judgeCaa(set, false, ours)).toMatchObject({ records: set.slice(1), tag: 'issue' });
  });
});

describe('a wildcard', () => {
  test.each<readonly [string, readonly string[], string]>([
    ['goes by issuewild', ['0 issue ";"', '0 issuewild "ca.example"'], 'Allowed'],
    ['is kept out by issuewild', ['0 issue "ca.example"', '0 issuewild ";"'], 'Issuer'],
    ['goes by issue where there is no issuewild', ['0 issue "ca.example"'], 'Allowed'],
    ['is kept out by issue where there is no issuewild', ['0 issue "other.example"'], 'Issuer'],
  ])('%s', (_, set, want) => {
    expect(judged(set, { wildcard: true })).toBe(want);
  });

  test('is what issuewild is for, and nothing else', () => {
    expect(judged(['0 issue "ca.example"', '0 issuewild ";"'])).toBe('Allowed');
    expect(judgeCaa(['0 issuewild ";"'], true, ours)).toMatchObject({ tag: 'issuewild' });
  });
});

describe('of a CA that does not say who it is', () => {
  test.each<readonly [string, readonly string[], string]>([
    ['a name may be its own', ['0 issue "other.example"'], 'Allowed'],
    ['nobody is nobody', ['0 issue ";"'], 'Issuer'],
    ['another account is not ours', ['0 issue "other.example; accounturi=x:y"'], 'Account'],
    ['another method is not ours', ['0 issue "other.example; validationmethods=http-01"'], 'Method'],
    ['a critical record is one', ['128 future "x"'], 'Critical'],
  ])('%s', (_, set, want) => {
    expect(judged(set, { applicant: nameless })).toBe(want);
  });
});

test('without an account yet, a record may be for the one to come', () => {
  expect(judged(['0 issue "ca.example; accounturi=x:y"'], { applicant: { ...ours, accountUrl: undefined } })).toBe(
    'Allowed',
  );
});

test('whatever a record holds, it is judged, and quickly', () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('a', '-', '.', ';', '=', ' ', '"', ',') }));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), text, text, (flags, tag, value) => {
      expect(['Allowed', 'Forbidden']).toContain(judgeCaa([`${flags} ${tag} "${value}"`], false, ours).verdict);
    }),
  );
  const began = performance.now();
  judgeCaa([`0 issue "${'a-'.repeat(30_000)}"`, `0 issue "a;${'b=c;'.repeat(15_000)}"`], false, ours);
  expect(performance.now() - began).toBeLessThan(500);
});

test('a record for us that stands beside any set without critical records lets us in', () => {
  const value = fc.string({ unit: fc.constantFrom('a', '.', ';', '=', ' ', '-') });
  fc.assert(
    fc.property(fc.array(value), (values) => {
      const set = [...values.map((one) => `0 issue "${one}"`), `0 issue "ca.example; accounturi=${accountUrl}"`];
      expect(judged(set)).toBe('Allowed');
    }),
  );
});
