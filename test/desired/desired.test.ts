import { expect, test } from 'vitest';
import { defaults } from '../../src/api/defaults.ts';
import { apiVersion, type MailDomain, type MailExchanger } from '../../src/api/types.ts';
import { desiredDomain } from '../../src/desired/domain.ts';
import { canonicalNames, desiredExchanger } from '../../src/desired/exchanger.ts';
import { grant } from '../plan/cases.ts';

const metadata = { name: 'example', namespace: 'mail' };
const domain = (change: Partial<MailDomain['spec']> = {}) =>
  desiredDomain(
    { apiVersion, kind: 'MailDomain', metadata, spec: { domain: 'example.com', ...change } },
    {
      domain: 'example.com',
      grant,
      issuer: 'ca',
      hosts: ['mx2.example.com', 'mx1.example.com', 'mx2.example.com'],
      adopt: [],
    },
  );
const rotation = { wish: undefined, held: false, everyDays: 90 };
const exchanger = (change: Partial<MailExchanger['spec']> = {}) =>
  desiredExchanger(
    { apiVersion, kind: 'MailExchanger', metadata, spec: { hosts: ['MX1.example.com.'], ...change } },
    { issuer: 'ca', grants: new Map([['mx1.example.com', grant]]), adopt: [], rotation },
  );

test('a domain with nothing but its name has every default of the documented table', () => {
  const { mode, maxAgeSeconds, ttlSeconds, afterDays, immediately } = defaults.mtaSts;
  expect(domain()).toMatchObject({
    policyHost: 'mta-sts.example.com',
    mtaSts: { mode, maxAgeSeconds, ttlSeconds, afterDays, immediately },
    rua: [],
    suspended: false,
  });
});

test('what is given counts, zero and false included', () => {
  const mtaSts = {
    mode: 'testing',
    maxAgeSeconds: 0,
    ttlSeconds: 60,
    promotion: { afterDays: 0, immediately: true },
  } as const;
  expect(domain({ mtaSts, suspend: true })).toMatchObject({
    mtaSts: { mode: 'testing', maxAgeSeconds: 0, ttlSeconds: 60, afterDays: 0, immediately: true },
    suspended: true,
  });
});

test('the order and number in which exchangers name hosts means nothing', () => {
  expect(domain().hosts).toEqual(['mx1.example.com', 'mx2.example.com']);
});

test('an exchanger with nothing but hosts has every default', () => {
  expect(exchanger()).toMatchObject({
    hosts: [{ host: 'mx1.example.com', grant }],
    certificateNames: ['mx1.example.com'],
    secretName: 'example-tls',
    dane: defaults.dane,
    suspended: false,
  });
});

test('further names come after the hosts, each once', () => {
  expect(
    exchanger({ certificate: { dnsNames: ['mail.example.com', 'mx1.example.com'], secretName: 's' } }),
  ).toMatchObject({
    certificateNames: ['mx1.example.com', 'mail.example.com'],
    secretName: 's',
  });
});

test('names are canonical, and what is none is left out', () => {
  expect(canonicalNames(['Bücher.Example.', 'a..b', 'MX.example.com'])).toEqual([
    'xn--bcher-kva.example',
    'mx.example.com',
  ]);
});
