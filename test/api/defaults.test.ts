import { expect, test } from 'vitest';
import { defaults } from '../../src/api/defaults.ts';
import { apiVersion } from '../../src/api/types.ts';
import { desiredDomain } from '../../src/desired/domain.ts';
import { desiredExchanger } from '../../src/desired/exchanger.ts';

const grant = { provider: 'main', zone: 'example.com', settleSeconds: 0 };
const metadata = { name: 'mx', namespace: 'mail' };

test('a MailDomain that says nothing gets what the docs say', () => {
  const resolved = { domain: 'example.com', grant, issuer: 'ca', hosts: ['mx1.example.com'], adopt: [] };
  const spec = { domain: 'example.com', mx: { hosts: ['mx1.example.com'] } };
  const desired = desiredDomain({ apiVersion, kind: 'MailDomain', metadata, spec }, resolved);
  expect(desired).toMatchObject({ mtaSts: defaults.mtaSts, suspended: defaults.suspend, rua: [] });
});

test('a MailExchanger that says nothing gets what the docs say', () => {
  const rotation = { wish: undefined, held: false, everyDays: defaults.certificate.keyRotationDays };
  const resolved = { issuer: 'ca', grants: new Map([['mx1.example.com', grant]]), adopt: [], rotation };
  const spec = { hosts: ['mx1.example.com'] };
  const desired = desiredExchanger({ apiVersion, kind: 'MailExchanger', metadata, spec }, resolved);
  expect(desired).toMatchObject({
    dane: defaults.dane,
    suspended: defaults.suspend,
    secretName: 'mx-tls',
    algorithm: 'ECDSA-P256',
  });
});
