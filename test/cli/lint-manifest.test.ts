import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lintManifest } from '../../src/cli/lint-manifest.ts';
import { runLint } from '../../src/cli/lint.ts';

const head = (kind: string, name = 'example', namespace = 'mail'): string =>
  `apiVersion: mailseal.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\n`;
const domain = (spec: string): string => `${head('MailDomain')}spec: ${spec}\n`;
const good = '{ domain: example.com, mx: { hosts: [mx1.example.com] } }';

describe('good manifests', () => {
  test.each(['quickstart.yaml', 'shared-exchanger.yaml'])('examples/%s', (file) => {
    const text = readFileSync(join(import.meta.dirname, '../../examples', file), 'utf8');
    expect(lintManifest(text)).toMatchObject({ ok: true, problems: [], notes: [] });
  });

  test.each([
    ['empty documents between others', `---\n---\n${domain(good)}---\n`],
    ['a list', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [JSON.parse(JSON.stringify(parsedDomain()))] })],
    [
      'an anchor and a merge',
      `${head('MailDomain')}spec:\n  <<: &a { domain: example.com }\n  mx: { hosts: [mx1.example.com] }\n`,
    ],
  ])('%s', (_, text) => {
    const { ok, problems, value } = lintManifest(text);
    expect({ ok, problems }).toEqual({ ok: true, problems: [] });
    expect(value?.objects).toEqual([{ kind: 'MailDomain', namespace: 'mail', name: 'example' }]);
  });

  test('what is not of ours is named and passed over', () => {
    const { ok, value, notes } = lintManifest(
      `${domain(good)}---\napiVersion: v1\nkind: Secret\nmetadata: { name: key, namespace: mailseal-system }\n`,
    );
    expect({ ok, passedOver: value?.passedOver }).toEqual({
      ok: true,
      passedOver: [{ kind: 'Secret', namespace: 'mailseal-system', name: 'key' }],
    });
    expect(notes).toEqual(['Secret mailseal-system/key is passed over: it is not of mailseal.dev']);
  });
});

function parsedDomain(): object {
  const spec = { domain: 'example.com', mx: { hosts: ['mx1.example.com'] } };
  return {
    apiVersion: 'mailseal.dev/v1alpha1',
    kind: 'MailDomain',
    metadata: { name: 'example', namespace: 'mail' },
    spec,
  };
}

test.each<readonly [string, string, string, string]>([
  ['no YAML, by its line', 'a: 1\nb: [', 'MalformedYaml', 'Line 2 is not YAML: unexpected end'],
  ['a key twice', 'a: 1\na: 2', 'MalformedYaml', 'Line 2 is not YAML: duplicated mapping key'],
  ['nothing at all', '# nothing\n', 'NoObject', 'There is no object.'],
  ['a mere text', 'hello', 'NotAnObject', 'Document 1 is no object of Kubernetes: it lacks apiVersion and kind.'],
  ['no name', 'apiVersion: v1\nkind: A\nmetadata: {}', 'MissingName', 'Document 1 is a "A" without metadata.name.'],
  ['a kind of ours that there is not', head('MailDomian'), 'UnknownKind', '"MailDomian" is no kind of mailseal.dev'],
  [
    'another version of ours',
    domain(good).replace('v1alpha1', 'v9'),
    'UnknownKind',
    'MailDomain mail/example is of "mailseal.dev/v9"',
  ],
  ['a spec that is missing', head('MailDomain'), 'InvalidField', 'MailDomain mail/example: spec is missing'],
  [
    'a wrong field',
    domain('{ domain: example.com, mx: { hosts: [192.0.2.1] } }'),
    'InvalidField',
    'MailDomain mail/example: spec.mx.hosts[0] "192.0.2.1"',
  ],
  ['the same object twice', `${domain(good)}---\n${domain(good)}`, 'DuplicateObject', 'stands there twice'],
  ['what grows without end', `a: &a [${'1,'.repeat(99)}1]\n${bomb()}`, 'TooLarge', 'has more than 200000 values'],
  ['what refers to itself', 'a: &a [*a]', 'TooLarge', 'has more than 200000 values'],
])('an error: %s', (_, text, code, words) => {
  const { ok, value, problems } = lintManifest(text);
  expect({ ok, value }).toEqual({ ok: false, value: undefined });
  expect(problems[0]).toMatchObject({ level: 'error', code, message: expect.stringContaining(words) });
});

/** Each line is a hundred times the one before. */
function bomb(): string {
  return ['b', 'c', 'd', 'e', 'f']
    .map((name, at) => `${name}: &${name} [${`*${'abcde'[at]},`.repeat(99)}*${'abcde'[at]}]\n`)
    .join('');
}

test.each<readonly [string, string, string]>([
  [
    'a field that there is not',
    '{ domain: example.com, mx: { hosts: [mx1.example.com] }, mtaSTS: {} }',
    'spec."mtaSTS"',
  ],
  ['one in a list', '{ domain: example.com, exchangerRefs: [{ name: mx, kind: x }] }', 'spec.exchangerRefs[0]."kind"'],
])('an error, as kubectl has it: %s', (_, spec, path) => {
  const { ok, problems } = lintManifest(domain(spec));
  expect(ok).toBe(false);
  expect(problems).toContainEqual(
    expect.objectContaining({ level: 'error', code: 'UnknownField', message: expect.stringContaining(path) }),
  );
});

test.each<readonly [string, string, string]>([
  ['dnsProviderRef', '{ domain: e.com, mx: { hosts: [mx1.e.com] }, dnsProviderRef: { name: p } }', 'the DNSProvider p'],
  ['exchangerRefs', '{ domain: e.com, exchangerRefs: [{ name: mx }] }', 'the MailExchanger mail/mx'],
  [
    'issuerRef',
    '{ domain: e.com, mx: { hosts: [a.e.com], certificate: { issuerRef: { name: ca } } } }',
    'CertificateIssuer ca',
  ],
])('a reference that leads out of the text is a warning: %s', (_, spec, words) => {
  const { ok, problems } = lintManifest(domain(spec));
  expect(ok).toBe(true);
  expect(problems).toEqual([
    expect.objectContaining({ code: 'UnresolvedReference', message: expect.stringContaining(words) }),
  ]);
});

test('in words, what strangers wrote acts on no terminal', async () => {
  let output = '';
  const code = await runLint(['--text', 'manifest'], {
    readFile: () => Promise.reject(new Error('none')),
    readStdin: async () => 'apiVersion: v1\nkind: "A\\e[31m"\nmetadata: { name: "x\\u202e" }',
    write: (text) => {
      output += text;
    },
  });
  expect({ code, output }).toEqual({
    code: 0,
    output: 'note: A\\x1b[31m x\\u{202e} is passed over: it is not of mailseal.dev\nok\n',
  });
});
