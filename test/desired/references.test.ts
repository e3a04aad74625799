import { describe, expect, test } from 'vitest';
import { apiVersion, type CertificateIssuer, type DNSProvider, type DNSProviderSpec } from '../../src/api/types.ts';
import { resolveIssuer } from '../../src/desired/references.ts';
import { resolveZone } from '../../src/desired/zones.ts';

const provider = (name: string, zones: readonly string[], change: Partial<DNSProviderSpec> = {}): DNSProvider => ({
  apiVersion,
  kind: 'DNSProvider',
  metadata: { name },
  spec: { zones, allowedNamespaces: { names: ['mail'] }, ...change },
});
const issuer = (name: string, isDefault = false): CertificateIssuer => ({
  apiVersion,
  kind: 'CertificateIssuer',
  metadata: { name },
  spec: { default: isDefault, selfSigned: {} },
});
const main = provider('main', ['example.com']);
const deep = provider('deep', ['mail.example.com']);
const twin = provider('twin', ['example.com']);
const asDefault = { default: true };

describe('the places where the records of a delegated zone stand', () => {
  const keys = provider('keys', ['keys.example.net'], { delegated: { zones: ['example.com'] } });
  const place = (name: string) => resolveZone([keys], { name, namespace: 'mail' });

  test.each(['example.com.keys.example.net', 'mx1.example.com.keys.example.net'])(
    'are granted to nobody by their own name: %s',
    (name) => {
      expect(place(name)).toMatchObject({ ok: false, reason: 'ZoneNotGranted' });
      // Nor by another provider, or all of a zone.
      const others = [keys, provider('all', ['keys.example.net']), provider('selector', [])];
      expect(resolveZone(others, { name, namespace: 'mail' })).toMatchObject({ ok: false });
    },
  );

  test('leave all other names of the zone as they are', () => {
    expect(place('mx1.keys.example.net')).toMatchObject({ ok: true, value: { zone: 'keys.example.net' } });
    expect(place('mx1.example.com')).toMatchObject({ ok: true, value: { delegatedFrom: 'example.com' } });
  });

  test('have room for the longest name that we put before them', () => {
    const long = [50, 50, 50, 50].map((length) => 'x'.repeat(length)).join('.');
    expect(place(`${long}.example.com`)).toMatchObject({
      ok: false,
      reason: 'InvalidSpec',
      message: expect.stringContaining('too long to be delegated'),
    });
  });
});

describe('the zone of a name', () => {
  type Request = Partial<Parameters<typeof resolveZone>[1]>;
  test.each<readonly [string, readonly DNSProvider[], Request, string]>([
    ['there is no provider', [], {}, 'NoProvider'],
    ['the one that is named does not exist', [main], { ref: 'gone' }, 'ProviderNotFound'],
    ['no zone holds the name', [provider('main', ['example.net'])], {}, 'ZoneNotGranted'],
    ['a longer name that only ends alike is in no zone', [main], { name: 'badexample.com' }, 'ZoneNotGranted'],
    ['the namespace is not allowed', [main], { namespace: 'other' }, 'NamespaceNotGranted'],
    [
      'no namespace is allowed',
      [provider('main', ['example.com'], { allowedNamespaces: { names: [] } })],
      {},
      'NamespaceNotGranted',
    ],
    ['being named does not allow a namespace', [main], { namespace: 'other', ref: 'main' }, 'NamespaceNotGranted'],
    ['two serve alike', [main, twin], {}, 'AmbiguousDefault'],
    [
      'two defaults serve alike',
      [provider('a', ['example.com'], asDefault), provider('b', ['example.com'], asDefault)],
      {},
      'AmbiguousDefault',
    ],
  ])('none: %s', (_, providers, request, reason) => {
    expect(resolveZone(providers, { name: 'mx.mail.example.com', namespace: 'mail', ...request })).toMatchObject({
      ok: false,
      reason,
    });
  });

  test.each<readonly [string, readonly DNSProvider[], Request, object]>([
    ['the only one', [main], {}, { provider: 'main', zone: 'example.com', settleSeconds: 0 }],
    ['the apex itself', [main], { name: 'example.com' }, { provider: 'main' }],
    ['the longest zone', [main, deep], {}, { provider: 'deep', zone: 'mail.example.com' }],
    ['the one that is named, though another has a longer zone', [main, deep], { ref: 'main' }, { provider: 'main' }],
    ['the default among equals', [main, provider('twin', ['example.com'], asDefault)], {}, { provider: 'twin' }],
    [
      'a zone spelt in two ways is one',
      [provider('main', ['example.com', 'EXAMPLE.com.'])],
      {},
      { zone: 'example.com' },
    ],
    [
      'a zone as U-label',
      [provider('main', ['bücher.example'])],
      { name: 'mx.xn--bcher-kva.example' },
      { zone: 'xn--bcher-kva.example' },
    ],
    [
      'one that does not allow the namespace does not stand in the way',
      [main, provider('deep', ['mail.example.com'], { allowedNamespaces: { names: ['other'] } })],
      {},
      { provider: 'main' },
    ],
    ['its settle time', [provider('main', ['example.com'], { settleSeconds: 30 })], {}, { settleSeconds: 30 }],
    [
      'the remembered one, when a default comes later',
      [main, provider('twin', ['example.com'], asDefault)],
      { remembered: 'main' },
      { provider: 'main' },
    ],
    [
      'the remembered one no longer serves: the default',
      [deep, provider('twin', ['example.com'], asDefault)],
      { name: 'example.com', remembered: 'deep' },
      { provider: 'twin' },
    ],
    [
      'what is named outranks what is remembered',
      [main, twin],
      { ref: 'twin', remembered: 'main' },
      { provider: 'twin' },
    ],
  ])('%s', (_, providers, request, value) => {
    expect(resolveZone(providers, { name: 'mx.mail.example.com', namespace: 'mail', ...request })).toMatchObject({
      ok: true,
      value,
    });
  });

  test('a refusal names the mend', () => {
    const refused = resolveZone([main], { name: 'mx.example.com', namespace: 'other' });
    expect(refused).toMatchObject({
      message: expect.stringContaining('an administrator adds it to spec.allowedNamespaces.names'),
    });
  });
});

describe('the issuer', () => {
  test.each<readonly [string, readonly CertificateIssuer[], Parameters<typeof resolveIssuer>[1], string]>([
    ['the one that is named', [issuer('a'), issuer('b', true)], { ref: 'a' }, 'a'],
    ['the only default', [issuer('a'), issuer('b', true)], {}, 'b'],
    [
      'the remembered one, when a second default comes',
      [issuer('a', true), issuer('b', true)],
      { remembered: 'a' },
      'a',
    ],
    ['the default, when the remembered one has gone', [issuer('b', true)], { remembered: 'a' }, 'b'],
    ['none: the one that is named does not exist', [issuer('b', true)], { ref: 'a' }, 'IssuerNotFound'],
    ['none: no default', [issuer('a')], {}, 'NoIssuer'],
    ['none: two defaults', [issuer('a', true), issuer('b', true)], {}, 'AmbiguousDefault'],
  ])('%s', (_, issuers, request, want) => {
    const found = resolveIssuer(issuers, request);
    expect(found.ok ? found.value.metadata.name : found.reason).toBe(want);
  });
});
