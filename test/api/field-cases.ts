/**
 * Wrong values for every field of every kind, made from the schemas: a field that is added is tried the same day. Each
 * case is a whole spec that is right but for one place.
 */
import { mailPorts } from '../../src/dane/tlsa.ts';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type KindName, kinds } from '../../src/api/kinds.ts';
import type { AnySchema } from '../../src/api/schema.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Spec = { readonly [key: string]: Json };
/** Property names, and `0` for the first item of a list. */
type Path = readonly (string | 0)[];

export interface FieldCase {
  readonly sentence: string;
  readonly kind: KindName;
  /** `spec.mx.hosts[0]`, as both verdicts name it. */
  readonly path: string;
  readonly spec: Spec;
}

const root = readFileSync(resolve(import.meta.dirname, '../testdata/dane/root.pem'), 'utf8');
const certificate = {
  issuerRef: { name: 'ca' },
  secretName: 'mx-tls',
  sourceSecretName: 'mx-source',
  dnsNames: ['imap.example.com'],
  algorithms: ['RSA-2048'],
  keyRotationDays: 30,
};
const dane = { mode: 'Auto', ttlSeconds: 60, tlsaPorts: [465, 587] };
const delivery = { restart: [{ kind: 'StatefulSet', name: 'postfix' }] };

/** Together they hold every field of every kind. */
export const wholes: readonly (readonly [KindName, Spec])[] = [
  [
    'MailDomain',
    {
      domain: 'example.com',
      mx: { hosts: ['mx1.example.com'], certificate, dane, delivery },
      dnsProviderRef: { name: 'main' },
      mtaSts: {
        mode: 'enforce',
        maxAgeSeconds: 86_400,
        ttlSeconds: 300,
        promotion: { afterDays: 1, immediately: false },
        issuerRef: { name: 'ca' },
      },
      tlsRpt: { rua: ['mailto:tls@example.net'] },
      deletionPolicy: 'Retire',
      suspend: false,
    },
  ],
  ['MailDomain', { domain: 'example.com', exchangerRefs: [{ name: 'mx', namespace: 'noc' }] }],
  [
    'MailExchanger',
    {
      hosts: ['mx1.example.com'],
      allowedNamespaces: { names: ['customers'] },
      certificate,
      dane,
      delivery,
      dnsProviderRef: { name: 'main' },
      deletionPolicy: 'Orphan',
      suspend: true,
    },
  ],
  [
    'DNSProvider',
    {
      zones: ['example.com'],
      zoneSelector: { below: ['customers.example.net'] },
      allowedNamespaces: { names: ['mail'] },
      default: true,
      settleSeconds: 5,
      policy: 'UpsertOnly',
      delegated: { zones: ['example.org'], into: 'example.com' },
      rfc2136: { server: '192.0.2.53', tsigKeyName: 'mailseal', tsigAlgorithm: 'hmac-sha256' },
      credentialsSecretRef: { name: 'dns-update-key' },
    },
  ],
  [
    'DNSProvider',
    {
      zones: ['example.com'],
      powerdns: { url: 'https://dns.example.net:8081/x', serverId: 'localhost', plainHttp: false, caBundle: root },
      credentialsSecretRef: { name: 'powerdns' },
    },
  ],
  [
    'DNSProvider',
    {
      zones: ['example.com'],
      route53: {
        region: 'eu-central-1',
        roleArn: 'arn:aws:iam::123456789012:role/dns/mailseal',
        externalId: 'our-id',
        endpoint: 'https://aws.example.net',
        plainHttp: false,
      },
    },
  ],
  [
    'DNSProvider',
    {
      zones: ['example.com'],
      cloudflare: { endpoint: 'https://proxy.example.net/v4', plainHttp: false },
      credentialsSecretRef: { name: 'cloudflare' },
    },
  ],
  [
    'DNSProvider',
    { zones: ['example.com'], webhook: { url: 'https://hook.example.net', plainHttp: false, caBundle: root } },
  ],
  [
    'DNSProvider',
    { zones: ['example.com'], externalDns: { labels: [{ name: 'team.example.com/name', value: 'mail' }] } },
  ],
  ['DNSProvider', { zones: ['example.com'], manual: { contact: 'dns@example.com' } }],
  [
    'CertificateIssuer',
    {
      default: false,
      acme: {
        server: 'https://acme.example.net/dir',
        email: 'me@example.com',
        profile: 'shortlived',
        challenge: 'HTTP01',
        caBundle: root,
        preferredChain: 'ISRG Root X1',
        eab: { keyId: 'kid-1', secretRef: { name: 'eab' } },
      },
    },
  ],
  ['CertificateIssuer', { selfSigned: { years: 2 } }],
  ['CertificateIssuer', { external: {} }],
  [
    'Retirement',
    { what: 'Domain', namespace: 'mail', name: 'a', domain: 'example.com', since: '2026-11-22T14:05:00Z' },
  ],
  [
    'Retirement',
    { what: 'Exchanger', namespace: 'mail', name: 'a', hosts: ['mx1.example.com'], since: '2026-11-22T14:05:00Z' },
  ],
];

/** What strangers put where a word is expected: other encodings, other languages' syntax, other places. */
const hostile: readonly (readonly [string, (good: string) => string])[] = [
  ['nothing at all', () => ''],
  ['a blank', () => ' '],
  ['a line break at the end', (good) => `${good}\n`],
  ['a line of a policy', (good) => `${good}\r\nmx: evil.example`],
  ['a NUL', (good) => `${good}\u0000`],
  ['a tab', (good) => `\t${good}`],
  ['an escape sequence', (good) => `${good}\u001b[31m`],
  ['a C1 control', (good) => `${good}\u009b`],
  ['a change of the reading direction', (good) => `${good}\u202e`],
  ['an invisible character', (good) => `${good}\u200b`],
  ['a byte order mark', (good) => `\ufeff${good}`],
  ['a line separator', (good) => `${good}\u2028`],
  ['half a surrogate pair', (good) => `${good}\ud800`],
  ['a tag beyond the first plane', (good) => `${good}\u{e0041}`],
  ['the end of a TXT string', (good) => `${good}" "v=spf1`],
  ['a field of a record', (good) => `${good}; v=TLSRPTv1`],
  ['a backslash', (good) => `${good}\\`],
  ['a comment of a zone file', (good) => `${good} ; comment`],
  ['a directive of a zone file', () => '$INCLUDE /etc/passwd'],
  ['a command', (good) => `${good}$(id)`],
  ['a template', (good) => `${good}{{ .Values }}`],
  ['the start of a table of Postfix', () => 'inline:{{a=b}}'],
  ['a path', () => '../../etc/passwd'],
  ['a percent-encoded line break', (good) => `${good}%0d%0a`],
  ['a script as a URL', () => 'javascript:alert(1)'],
  ['a file as a URL', () => 'file:///etc/passwd'],
  ['a URL without TLS', () => 'http://example.com/'],
  ['a URL with a password', () => 'https://user:password@example.com/'],
];

/** PEM may stand among any other text; what must not stand there, or instead of it. */
const wrongPem: readonly (readonly [string, Json])[] = [
  ['nothing at all', ''],
  ['no PEM', 'example.com'],
  ['a block that is cut off', root.slice(0, 200)],
  ['a block of garbage', root.replace(/[A-Za-z0-9+/]{20}/u, '!'.repeat(20))],
  ['a block with nothing in it', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ['a private key', '-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n'],
  ['a private key behind a certificate', `${root}-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n`],
  ['a request instead of a certificate', root.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST')],
  ['a NUL in a block', root.replace('\n', '\u0000')],
];

const numbers = (minimum: number, maximum: number): readonly (readonly [string, Json])[] => [
  ['a number as text', '1'],
  ['NaN as text', 'NaN'],
  ['half of one', minimum + 0.5],
  ['one less than the least', minimum - 1],
  ['one more than the most', maximum + 1],
  ['more than a double holds', 2 ** 53],
  ['more than 64 bits', 1e30],
  ['the most negative', -(2 ** 63)],
];

const ofAnyType: readonly (readonly [string, AnySchema['type'] | undefined, Json])[] = [
  ['null', undefined, null],
  ['a text', 'string', 'x'],
  ['a number', 'integer', 7],
  ['true', 'boolean', true],
  ['a list', 'array', ['x']],
  ['an object', 'object', { name: 'x' }],
];

function wrongValues(schema: AnySchema, good: Json): readonly (readonly [string, Json])[] {
  const types = ofAnyType.filter(([, type]) => type !== schema.type).map(([what, , value]) => [what, value] as const);
  switch (schema.type) {
    case 'string':
      return [
        ...types,
        ['a character too many', 'x'.repeat(schema.maxLength + 1)],
        ['many emoji', '🙂'.repeat(schema.maxLength + 1)],
        ...(schema.format === 'certificates'
          ? wrongPem
          : hostile.map(([what, make]) => [what, make(good as string)] as const)),
      ];
    case 'integer':
      return [...types, ...numbers(schema.minimum, schema.maximum)];
    case 'boolean':
      return [...types, ['yes', 'yes']];
    case 'array': {
      const [item] = good as readonly Json[];
      const many = Array.from({ length: schema.maxItems + 1 }, (_, n) => another(item ?? '', n));
      return [
        ...types,
        ['too many items', many],
        ...(schema.list === 'set' ? [['an item twice', [item ?? '', item ?? '']] as const] : []),
        ...((schema.minItems ?? 0) > 0 ? [['no item', []] as const] : []),
        ['null in it', [null]],
        ['a list in it', [[item ?? '']]],
      ];
    }
    case 'object':
      return types;
  }
}

const another = (item: Json, n: number): Json => {
  // The one list of numbers is of ports.
  if (typeof item === 'number') return mailPorts[n] ?? 2525;
  if (typeof item === 'object') return { ...(item as Spec), name: `x${n}` };
  const text = item as string;
  if (text.startsWith('mailto:')) return `${text}${n}`;
  // The first is the one that other fields may name.
  if (n === 0) return text;
  return text.includes('.') ? `x${n}.${text}` : `${text}${n}`;
};

function replaced(value: Json, [head, ...rest]: Path, wrong: Json): Json {
  if (head === undefined) return wrong;
  if (head === 0) return [replaced((value as readonly Json[])[0] ?? null, rest, wrong)];
  const object = value as Spec;
  return { ...object, [head]: replaced(object[head] ?? null, rest, wrong) };
}

const written = (path: Path): string =>
  path.reduce<string>((text, part) => (part === 0 ? `${text}[0]` : `${text}.${part}`), 'spec');

function fields(schema: AnySchema, value: Json | undefined, path: Path): readonly (readonly [Path, AnySchema, Json])[] {
  if (value === undefined) return [];
  const own = [[path, schema, value] as const];
  if (schema.type === 'array') return [...own, ...fields(schema.items, (value as readonly Json[])[0], [...path, 0])];
  if (schema.type !== 'object') return own;
  const inner = Object.entries(schema.properties).flatMap(([name, property]) =>
    fields(property, (value as Spec)[name], [...path, name]),
  );
  return [...own, ...inner];
}

/** Every field that a whole holds, with its place in the schema. */
export const wholeFields = (kind: KindName, whole: Spec): readonly (readonly [Path, AnySchema, Json])[] =>
  fields(kinds[kind].spec, whole, []);

/** Fields that two wholes hold are tried once. */
export function fieldCases(): readonly FieldCase[] {
  const tried = new Set<string>();
  return wholes.flatMap(([kind, whole]) =>
    wholeFields(kind, whole).flatMap(([path, schema, good]) => {
      const place = written(path);
      if (tried.has(`${kind} ${place}`)) return [];
      tried.add(`${kind} ${place}`);
      return wrongValues(schema, good).map(([what, wrong]) => ({
        sentence: `${kind} ${place}: ${what}`,
        kind,
        path: place,
        spec: replaced(whole, path, wrong) as Spec,
      }));
    }),
  );
}

const long = ['a', 'b', 'c'].map((letter) => letter.repeat(60)).join('.');

function filled(schema: AnySchema, good: Json): Json {
  if (schema.type === 'array') {
    const [item] = good as readonly Json[];
    const each = filled(schema.items, item ?? '');
    return Array.from({ length: schema.maxItems }, (_, n) => another(each, n));
  }
  if (schema.type === 'object') {
    const entries = Object.entries(good as Spec).flatMap(([name, value]) => {
      const property = schema.properties[name];
      return property === undefined ? [] : [[name, filled(property, value)] as const];
    });
    return Object.fromEntries(entries);
  }
  const lengthened = schema.type === 'string' && (schema.format === 'host' || schema.format === 'zone');
  return lengthened ? `${long}.${good as string}` : good;
}

/** Everything as often as it may be, and long. */
export const largest: readonly (readonly [KindName, Spec])[] = wholes.map(([kind, whole]) => [
  kind,
  filled(kinds[kind].spec, whole) as Spec,
]);
