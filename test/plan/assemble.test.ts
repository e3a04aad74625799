import { describe, expect, test } from 'vitest';
import { assemble } from '../../src/plan/assemble.ts';
import type { CertificatePlan } from '../../src/plan/certificate.ts';
import type { Change } from '../../src/plan/change.ts';
import type { RecordsPlan } from '../../src/plan/records.ts';
import { applied, domainState, key, now, order, publication, txt } from './cases.ts';

type Parts = Parameters<typeof assemble>[0];

const stored = domainState();
const { certificate: _, ...uncertified } = stored;
const changed = { ...stored, publications: [publication()] };
const quiet: CertificatePlan = { state: stored, changes: [], waits: [], problem: undefined, required: [] };
const none: RecordsPlan = { applied: [], changes: [], required: [], refused: [], pending: [], held: [] };
const record = (name: string, zone = 'example.com'): RecordsPlan['changes'][number] => ({
  provider: 'main',
  zone,
  change: { name, type: 'TXT', before: undefined, after: txt(name, 'x') },
  aliases: {},
});
const serve: Change = {
  do: 'Serve',
  why: 'new',
  host: 'mta-sts.example.com',
  entry: { policy: null, revision: 'r', certificate: 'c', key: 'k' },
};
const orderChange: Change = {
  do: 'Order',
  method: 'dns-01',
  why: 'due',
  state: changed,
  key: key('c'),
  names: [],
  issuer: 'ca',
};
const answerChange: Change = { do: 'AnswerChallenges', why: 'shown', order: order() };

const parts = (change: Partial<Parts>): Parts => ({
  stored,
  state: stored,
  certificate: quiet,
  records: none,
  steps: [],
  suspended: false,
  settling: false,
  ...change,
});
const steps = (change: Partial<Parts>): readonly string[] =>
  assemble(parts(change)).changes.map((one) => (one.lane === undefined ? one.do : `${one.do}/${one.lane}`));
const lane = (...changes: readonly Change[]): CertificatePlan => ({ ...quiet, changes });

describe('the order of a plan', () => {
  test.each<readonly [string, Partial<Parts>, readonly string[]]>([
    ['nothing to do: nothing', {}, []],
    [
      'what follows from the state is done after it is stored',
      { state: changed, steps: [serve], records: { ...none, changes: [record('a')] } },
      ['SaveState', 'Serve/Own', 'Records/Own'],
    ],
    [
      'an order stores the state itself',
      { stored: undefined, state: changed, certificate: lane(orderChange) },
      ['Order'],
    ],
    [
      'records wait for a first order, to travel with its challenges',
      {
        stored: uncertified,
        state: changed,
        certificate: lane(orderChange),
        records: { ...none, changes: [record('a')] },
      },
      ['Order'],
    ],
    [
      'a renewal runs beside the records, after what both depend on',
      { state: changed, certificate: lane(orderChange), steps: [serve], records: { ...none, changes: [record('a')] } },
      ['SaveState', 'Order/Certificate', 'Serve/Own', 'Records/Own'],
    ],
    [
      'its later steps too',
      { certificate: lane(answerChange), records: { ...none, changes: [record('a')] } },
      ['AnswerChallenges/Certificate', 'Records/Own'],
    ],
    [
      'a failed order is stored once, with all else',
      { state: changed, certificate: lane({ do: 'SaveState', why: 'failed', state: changed }), steps: [serve] },
      ['SaveState', 'Serve/Own'],
    ],
    ['suspended: no record changes', { suspended: true, records: { ...none, changes: [record('a')] } }, []],
    ['suspended: a renewal goes on', { suspended: true, certificate: lane(orderChange) }, ['Order/Certificate']],
  ])('%s', (_name, change, want) => {
    expect(steps(change)).toEqual(want);
  });

  test('changes of one zone travel together, those of another apart', () => {
    const records = { ...none, changes: [record('a'), record('b', 'example.net'), record('c')] };
    const { changes } = assemble(parts({ records }));
    expect(changes.map((one) => (one.do === 'Records' ? one.changes.map(({ name }) => name) : []))).toEqual([
      ['a', 'c'],
      ['b'],
    ]);
  });

  test('what waits for nothing does not travel with what is urgent', () => {
    const later: Change = {
      do: 'Records',
      why: 'served',
      provider: 'main',
      zone: 'example.com',
      changes: [record('b').change],
      urgency: 'whenNext',
      aliases: {},
    };
    expect(steps({ certificate: lane(later), records: { ...none, changes: [record('a')] } })).toEqual([
      'Records/Certificate',
      'Records/Own',
    ]);
  });

  test('challenges do not share the fate of the other records of their zone', () => {
    const { provider, zone, change } = record('_acme-challenge.mx1.example.com');
    const proof: Change = {
      do: 'Records',
      why: 'asked',
      provider,
      zone,
      changes: [change],
      urgency: 'now',
      aliases: {},
    };
    const records = { ...none, changes: [record('a'), record('b')] };
    const { changes } = assemble(parts({ certificate: lane(proof), records }));
    expect(
      changes.map((one) => [one.lane, one.do === 'Records' ? one.changes.map(({ name }) => name) : one.do]),
    ).toEqual([
      ['Certificate', ['_acme-challenge.mx1.example.com']],
      ['Own', ['a', 'b']],
    ]);
  });
});

describe('a confirmation alone', () => {
  const set = txt('_mailseal.example.com', 'x');
  const { since: _since, ...intended } = applied(set, { standing: 'Intended' });
  const before = { ...stored, applied: [intended] };
  const state = { ...stored, applied: [applied(set, { since: now })] };
  const pending = {
    ...none,
    pending: [{ record: 'b TXT', reason: 'Waiting', message: 'b is being published' } as const],
  };

  test('is stored with the next step where one is near', () => {
    expect(steps({ stored: before, state, settling: true, records: pending })).toEqual([]);
  });
  test('is stored before a set is removed, after which nothing shows that it stood', () => {
    const removal = record('b');
    const change = { ...removal.change, before: txt('b', 'x'), after: undefined };
    const records = { ...pending, changes: [{ ...removal, change }] };
    expect(steps({ stored: before, state, settling: true, records })).toEqual(['SaveState', 'Records/Own']);
  });
  test('is stored at once where none is', () => {
    expect(steps({ stored: before, state, settling: true })).toEqual(['SaveState']);
    expect(steps({ stored: before, state, settling: false, records: pending })).toEqual(['SaveState']);
  });
});

test('each record that waits or is refused is waited for', () => {
  const problem = { record: 'b TXT', reason: 'ForeignRecord', message: 'b is not ours' } as const;
  expect(assemble(parts({ records: { ...none, refused: [problem] } })).waits).toEqual([
    { why: 'b is not ours', forMs: 30_000 },
  ]);
});
