import type { MailDomain, MailExchanger } from '../../src/api/types.ts';
import { beforeAll, describe, expect, test } from 'vitest';
import { conditionIn, dig, get, isReady, until } from './look.ts';
import { acmeIssuer, mailDomain, onShared, secret, withOwnHost } from './objects.ts';
import type { World } from './world.ts';
import { foreignPolicyRecord, foreignTlsa } from './zones.ts';

/** What is wrong, where it is said, the condition and its reason, and the words that lead to the mend. */
const cases = [
  ['an MX host outside any granted zone', 'mailexchanger', 'elsewhere', 'Stalled', 'ZoneNotGranted', /Add its zone/],
  [
    '… and its domain says so too',
    'maildomain',
    'elsewhere',
    'ExchangerReady',
    'ExchangerNotReady',
    /mx\.nobody\.example/,
  ],
  [
    'a namespace that the provider does not allow',
    'maildomain',
    'strangers/branch',
    'Stalled',
    'NamespaceNotGranted',
    /adds it to spec\.allowedNamespaces\.names/,
  ],
  [
    'an exchanger of a namespace that does not allow ours',
    'maildomain',
    'untended/guest',
    'Stalled',
    'ExchangerNotAllowed',
    /spec\.allowedNamespaces/,
  ],
  ['a domain that another object has', 'maildomain', 'twin', 'Stalled', 'Conflict', /belongs to another MailDomain/],
  ['a wrong TSIG key', 'maildomain', 'wrongkey', 'Ready', 'ProviderUnauthorized', /key/i],
  ['an ACME server that is down', 'maildomain', 'caless', 'Ready', 'ACMEUnavailable', /10\.53\.0\.60:14999/],
  ['a zone whose DNSSEC is broken', 'maildomain', 'bogus', 'MXResolved', 'ZoneBogus', /Mend the signatures or the DS/],
  ['… and its exchanger says so too', 'mailexchanger', 'bogus', 'DNSSECSecure', 'ZoneBogus', /its DS record/],
  [
    'an MX host without STARTTLS',
    'mailexchanger',
    'cleartext',
    'StartTLSVerified',
    'STARTTLSMissing',
    /Turn TLS on in its mail server/,
  ],
  ['a foreign _mta-sts record', 'maildomain', 'taken', 'Stalled', 'ForeignRecord', /remove it, or give it to Mailseal/],
  ['a foreign TLSA record', 'mailexchanger', 'pinned', 'Deployed', 'TLSAMismatch', /TLSA/],
  [
    'a Secret that is not ours',
    'mailexchanger',
    'guarded',
    'Deployed',
    'SecretForeign',
    /spec\.certificate\.secretName/,
  ],
  [
    'a namespace that the chart was not told of',
    'mailexchanger',
    'untended/untended',
    'Deployed',
    'SecretForbidden',
    /tenantNamespaces/,
  ],
] as const;

const malformed = [
  ['a space in a domain', 'exa mple.test', /spec\.domain/],
  ['an empty label', 'a..test', /spec\.domain/],
  ['a label that begins with a hyphen', '-a.test', /spec\.domain/],
] as const;

/** First bad inputs, all at once: each says its own reason, and none writes over what is not ours. */
export function badInputs(given: () => World): void {
  let world: World;
  let serial: number;

  beforeAll(async () => {
    world = given();
    serial = await world.lab.bind.serial('wrongkey.test');
    const inline = { mx: { hosts: ['mx1.example.test'] } };
    await world.apply(
      secret('guarded-tls', 'mail', { mine: 'not yours' }),
      mailDomain('elsewhere', { domain: 'elsewhere.example.test', mx: { hosts: ['mx.nobody.example'] } }),
      mailDomain('branch', { domain: 'branch.example.test', ...inline }, 'strangers'),
      mailDomain(
        'guest',
        { domain: 'guest.untended.test', exchangerRefs: [{ name: 'example', namespace: 'mail' }] },
        'untended',
      ),
      mailDomain('twin', { domain: 'Example.TEST', exchangerRefs: [{ name: 'example' }] }),
      onShared('wrongkey', 'example'),
      // Nothing listens there.
      acmeIssuer('down', { server: 'https://10.53.0.60:14999/dir', email: 'postmaster@example.test' }),
      mailDomain('caless', { exchangerRefs: [{ name: 'example' }], mtaSts: { issuerRef: { name: 'down' } } }),
      mailDomain('bogus', { mx: { hosts: ['mx1.bogus.test'] } }),
      withOwnHost('unsigned'),
      withOwnHost('cleartext'),
      onShared('taken', 'example'),
      withOwnHost('pinned'),
      withOwnHost('guarded'),
      withOwnHost('untended', 'untended'),
    );
  });

  test.each(malformed)('%s is refused at kubectl apply, with the field and the rule', async (_, domain, words) => {
    const object = mailDomain('malformed', { domain, exchangerRefs: [{ name: 'example' }] });
    await expect(world.apply(object)).rejects.toThrow(words);
  });

  test.each(cases)('%s', async (_, kind, name, type, reason, words) => {
    const said = (object: MailDomain | MailExchanger): boolean => {
      const condition = conditionIn(object, type);
      return condition?.reason === reason && words.test(condition.message);
    };
    const object = await until(world, kind, name, said);
    expect(conditionIn(object, 'Ready')?.status).not.toBe('True');
    expect(object.status?.observedGeneration).toBe(object.metadata.generation);
  });

  describe('a zone that is not signed', () => {
    test('has no TLSA record, says so, and is Ready all the same', async () => {
      await until(world, 'maildomain', 'unsigned', isReady);
      const exchanger = await get(world, 'mailexchanger', 'unsigned');
      expect(conditionIn(exchanger, 'DNSSECSecure')).toMatchObject({ status: 'False', reason: 'ZoneInsecure' });
      expect(conditionIn(exchanger, 'DANEReady')?.message).toContain('no TLSA record is published');
      expect(await dig('_25._tcp.mx.unsigned.test', 'TLSA')).toEqual([]);
    });
  });

  describe('what is not ours', () => {
    test.each([
      ['_mta-sts.taken.test', 'TXT', [foreignPolicyRecord]],
      ['_25._tcp.mx.pinned.test', 'TLSA', [foreignTlsa]],
      ['_mta-sts.branch.example.test', 'TXT', []],
      ['_25._tcp.mx1.bogus.test', 'TLSA', []],
    ] as const)('%s %s stays as it was', async (name, type, values) => {
      expect(await dig(name, type)).toEqual(values);
    });

    test('a zone whose key is wrong keeps its serial', async () => {
      expect(await world.lab.bind.serial('wrongkey.test')).toBe(serial);
    });

    test('the Secret keeps its content, and no key goes to a host that a live TLSA set contradicts', async () => {
      const data = await world.kubectl('-n', 'mail', 'get', 'secret', 'guarded-tls', '-o', 'jsonpath={.data}');
      expect(JSON.parse(data)).toEqual({ mine: Buffer.from('not yours').toString('base64') });
      const where = ['-n', 'mail', 'get', 'secret', 'pinned-tls', '--ignore-not-found', '-o', 'name'];
      expect(await world.kubectl(...where)).toBe('');
    });
  });

  test('the domains that were well stay so', async () => {
    for (const name of ['example', 'second', 'shared', 'crash']) {
      expect(isReady(await get(world, 'maildomain', name)), name).toBe(true);
    }
  });
}
