import { describe, expect, test } from 'vitest';
import { type ObjectPreview, quietPreview } from '../../src/preview/preview.ts';
import { exitCodeOf, jsonOf, textOf } from '../../src/preview/report.ts';
import { reportOf } from './scene.ts';

const base: ObjectPreview = {
  ...quietPreview,
  kind: 'MailDomain',
  namespace: 'mail',
  name: 'example',
  about: 'example.com',
};
const name = '_smtp._tls.example.com';
const txt = (...values: string[]) => ({ ttlSeconds: 300, values });

const full: ObjectPreview = {
  ...base,
  conditions: [
    { type: 'Ready', status: 'False', reason: 'PolicyNotServed', message: 'pod a: not asked' },
    { type: 'MXResolved', status: 'True', reason: 'MXResolved', message: 'x' },
  ],
  changes: [
    {
      action: 'create',
      record: { name, type: 'TXT', after: txt('v=TLSRPTv1; rua=mailto:a@b.example') },
      why: 'it is wanted',
    },
    { action: 'update', record: { name, type: 'TXT', before: txt('old'), after: txt('new') }, why: 'it differs' },
    { action: 'delete', record: { name, type: 'TXT', before: txt('old') }, why: 'it is no longer wanted' },
    { action: 'adopt', record: { name, type: 'TXT', after: txt('given') }, why: 'it was given' },
    { action: 'certificate', what: 'an order is opened', why: 'there is none' },
  ],
  later: [{ action: 'serve', what: 'the policy is served', why: 'it is wanted', when: 'there is a certificate' }],
  requiredRecords: [
    { name: '_25._tcp.mx1.example.com', type: 'TLSA', ttlSeconds: 3600, values: ['3 1 1 aa', '3 1 1 bb'], seen: false },
    { name: 'old.example.com', type: 'TXT', values: [], seen: false },
    { name: 'seen.example.com', type: 'TXT', values: ['x'], seen: true },
  ],
  refused: [{ record: `${name} TXT`, reason: 'ForeignRecord', message: 'it is not ours' }],
  waits: [{ what: 'promote the policy', after: '2026-11-22T14:05:00Z' }],
};

test('a plan is read as a diff with reasons and waits', () => {
  expect(textOf({ ...reportOf([full]), notices: ['n'], problems: ['p'] })).toBe(`note: n
error: p

MailDomain mail/example (example.com)
  Ready=False (PolicyNotServed), MXResolved=True
  + ${name} 300 TXT "v=TLSRPTv1; rua=mailto:a@b.example"
      because it is wanted
  ~ - ${name} 300 TXT "old"
  ~ + ${name} 300 TXT "new"
      because it differs
  - ${name} 300 TXT "old"
      because it is no longer wanted
  = ${name} 300 TXT "given"
      because it was given
  certificate: an order is opened
      because there is none
  later: the policy is served
      when: there is a certificate
  by hand: _25._tcp.mx1.example.com 3600 TLSA 3 1 1 aa
  by hand: _25._tcp.mx1.example.com 3600 TLSA 3 1 1 bb
  by hand: - old.example.com TXT, to be removed
  refused: ForeignRecord: it is not ours
  next: promote the policy, after 2026-11-22T14:05:00Z

Plan: 1 object, 5 changes now, 1 later, 2 by hand, 1 refused, 1 error. Nothing was written.
`);
});

test('as JSON it has a form that programs can rely on', () => {
  const parsed = JSON.parse(jsonOf({ ...reportOf([full]), notices: ['n'] }));
  expect(parsed).toEqual({
    formatVersion: 1,
    notices: ['n'],
    problems: [],
    objects: [JSON.parse(JSON.stringify(full))],
    summary: { objects: 1, changes: 5, later: 1, byHand: 2, refused: 1, errors: 0 },
  });
});

describe('what strangers wrote', () => {
  const evil = 'a\u001b[31m\u202e\u0085b\nPlan: 0 objects';
  const object: ObjectPreview = {
    ...base,
    changes: [{ action: 'update', record: { name, type: 'TXT', before: txt(evil), after: txt('x') }, why: evil }],
    error: undefined as never,
    about: evil,
  };
  test.each([
    ['text', textOf],
    ['JSON', jsonOf],
  ])('acts on no terminal: %s', (_, format) => {
    const { error: _error, ...rest } = object;
    expect(format(reportOf([rest])).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
  test('forges no line', () => {
    const { error: _error, ...rest } = object;
    expect(
      textOf(reportOf([rest]))
        .split('\n')
        .filter((line) => line.startsWith('Plan:')),
    ).toHaveLength(1);
  });
});

test('no secret is shown, whoever put it there', () => {
  const pem = '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----';
  const object: ObjectPreview = { ...base, error: { reason: 'InternalError', message: `x ${pem}` } };
  for (const text of [textOf(reportOf([object])), jsonOf(reportOf([object]))]) expect(text).not.toContain('MIGHAgEA');
});

const [create] = full.changes;
test.each<readonly [string, Partial<ObjectPreview>, number]>([
  ['nothing to do', {}, 0],
  ['only something to wait for', { waits: full.waits }, 0],
  ['records that a human has published', { requiredRecords: full.requiredRecords.slice(2) }, 0],
  ['a change now', { changes: create === undefined ? [] : [create] }, 2],
  ['a change later', { later: full.later }, 2],
  ['a record by hand', { requiredRecords: full.requiredRecords.slice(0, 1) }, 2],
  ['a record that is refused', { refused: full.refused }, 2],
  ['an error', { error: { reason: 'InvalidSpec', message: 'x' } }, 1],
])('the exit code of %s', (_, part, code) => {
  expect(exitCodeOf(reportOf([{ ...base, ...part }]))).toBe(code);
});

test('an error counts more than changes, and so does a file that can’t be read', () => {
  expect(exitCodeOf(reportOf([full, { ...base, error: { reason: 'InvalidSpec', message: 'x' } }]))).toBe(1);
  expect(exitCodeOf({ ...reportOf([full]), problems: ['a.yaml: it is no YAML'] })).toBe(1);
});
