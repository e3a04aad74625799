import { expect, test } from 'vitest';
import * as fc from 'fast-check';
import { isKindName, type KindName, kinds } from '../../src/api/kinds.ts';
import { reasonOf, validate } from '../../src/api/validate.ts';
import { bad, bases, good } from './objects.ts';

const object = (spec: unknown): unknown => ({ metadata: { name: 'a', namespace: 'mail' }, spec });
const seen = (kind: KindName, spec: unknown): string[] => validate(kind, object(spec)).map(({ message }) => message);

test.each(good)('accepts %s', (_what, kind, spec) => {
  expect(validate(kind, object(spec))).toEqual([]);
});

test.each(bad)('refuses %s', (_what, kind, spec, _words, path, rule) => {
  expect(validate(kind, object(spec))).toMatchObject([{ path, rule, message: expect.stringMatching(/^spec.* .*/u) }]);
});

const { mx } = bases.MailDomain as { mx: object };

test.each<[string, KindName, unknown, string]>([
  [
    'hosts that are one name in the DNS',
    'MailExchanger',
    { hosts: ['bücher.example.com', 'xn--bcher-kva.example.com.'] },
    'spec.hosts[1] is xn--bcher-kva.example.com once more, written another way; remove one of the two',
  ],
  [
    'an MX host where the policy is served',
    'MailDomain',
    { domain: 'example.com', mx: { hosts: ['MTA-STS.example.com'] } },
    'spec.mx.hosts[0] is mta-sts.example.com, where the policy is served; give the MX host another name',
  ],
  [
    'a domain that leaves no room for its challenge',
    'MailDomain',
    { domain: `${'a.'.repeat(120)}com`, mx },
    'spec.domain is longer than 229 octets: the challenge of its policy host needs the rest',
  ],
  [
    'an exchanger that is named with and without its namespace',
    'MailDomain',
    { domain: 'example.com', exchangerRefs: [{ name: 'mx' }, { name: 'mx', namespace: 'mail' }] },
    'spec.exchangerRefs names the exchanger mail/mx twice; remove one',
  ],
  [
    'a malformed internationalised name',
    'MailDomain',
    { domain: 'xn--\u0000.example', mx },
    'spec.domain "xn--\\u0000.example" holds "\\u0000", which no name may; write the domain as it stands after the @, such as example.com',
  ],
  [
    'an unencoded exclamation mark',
    'MailDomain',
    { domain: 'example.com', mx, tlsRpt: { rua: ['mailto:a!b@example.net'] } },
    'spec.tlsRpt.rua[0] "mailto:a!b@example.net" holds "!"; write it as %21, or give each address a list item of its own',
  ],
  [
    'PEM that is no certificate',
    'CertificateIssuer',
    {
      acme: {
        server: 'https://acme.example.net/',
        caBundle: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      },
    },
    'spec.acme.caBundle holds a PEM block (number 1) that is no X.509 certificate; copy it again',
  ],
  [
    'an octet of 300',
    'DNSProvider',
    { ...bases.DNSProvider, rfc2136: { server: '192.0.2.300', tsigKeyName: 'k' } },
    'spec.rfc2136.server "192.0.2.300" is not an address; write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53',
  ],
  [
    'a port of 65536',
    'DNSProvider',
    { ...bases.DNSProvider, rfc2136: { server: '192.0.2.3:65536', tsigKeyName: 'k' } },
    'spec.rfc2136.server has port 65536; ports are 1 to 65535',
  ],
  ['a spec that is a list', 'MailDomain', [], 'spec must be an object, it is a list'],
  ['no spec', 'MailDomain', undefined, 'spec is missing; see `kubectl explain`'],
])('names field, rule and mend of %s', (_what, kind, spec, message) => {
  expect(seen(kind, spec)).toEqual([message]);
});

test('collects all problems of an object at once', () => {
  const spec = {
    domain: 'a b',
    mx: { hosts: ['x', 'mx1.example.com'] },
    exchangerRefs: [{ name: 'A' }],
    mtaSts: { mode: 1 },
  };
  expect(validate('MailDomain', object(spec)).map(({ path, reason }) => [path, reason])).toEqual([
    ['spec.domain', 'InvalidDomain'],
    ['spec.mx.hosts[0]', 'InvalidHost'],
    ['spec.exchangerRefs[0].name', 'InvalidSpec'],
    ['spec.mtaSts.mode', 'InvalidSpec'],
  ]);
});

test('takes the most particular reason for the condition', () => {
  const spec = { domain: 'example.com', mx: { hosts: ['x'] }, suspend: 1 };
  expect(reasonOf(validate('MailDomain', object(spec)))).toBe('InvalidHost');
  expect(reasonOf([])).toBeUndefined();
});

test('passes over fields of a newer CRD', () => {
  expect(validate('MailDomain', object({ ...bases.MailDomain, fromTheFuture: { a: 1 } }))).toEqual([]);
});

test('is not led astray by the names of object members', () => {
  expect(isKindName('constructor')).toBe(false);
  const spec: unknown = JSON.parse('{"__proto__": {"domain": "example.com"}, "mx": {"hosts": ["mx1.example.com"]}}');
  expect(validate('MailDomain', object(spec))).toMatchObject([{ path: 'spec.domain', rule: 'Required' }]);
});

test('never throws, whatever it is given', () => {
  const names = fc.constantFrom(...(Object.keys(kinds) as KindName[]));
  fc.assert(
    fc.property(names, fc.jsonValue(), fc.anything(), (kind, json, anything) => {
      for (const spec of [json, anything]) {
        for (const { message } of validate(kind, object(spec))) expect(message).not.toMatch(/\p{Cc}/u);
      }
    }),
  );
});

test('says no two lines and no control character, whatever a name holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const message of seen('MailDomain', { domain: text, mx: { hosts: [text] }, tlsRpt: { rua: [text] } })) {
        expect(message).not.toMatch(/\p{Cc}/u);
      }
    }),
  );
});
