import { describe, expect, test } from 'vitest';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { byKey, domain, hosts, markOf, type Sets } from './names.ts';
import { createOracle, type Oracle, type Wishes } from './oracle.ts';

const id = 'installation-first';
const [host = ''] = hosts;
const reports = { name: `_smtp._tls.${domain}`, type: 'TXT', ttl: 300, values: ['ours'] } as const;
const theirs: RecordSet = { ...reports, values: ['theirs'] };
const markAt = (place: string, ...values: readonly string[]): RecordSet => ({
  name: `_mailseal.${place}`,
  type: 'TXT',
  ttl: 300,
  values,
});
const tlsa = (...values: readonly string[]): RecordSet => ({
  name: `_25._tcp.${host}`,
  type: 'TLSA',
  ttl: 300,
  values,
});
const key = `3 1 1 ${'a'.repeat(64)}`;

interface Watched {
  readonly oracle: Oracle;
  readonly hand: (...sets: readonly RecordSet[]) => void;
  readonly write: (...sets: readonly RecordSet[]) => void;
  readonly pass: (ms: number) => void;
  readonly look: () => void;
}

/** One operator; hands and its writes leave just these sets. */
function watched(wishes: Partial<Wishes> = {}): Watched {
  let time = 0;
  const wanted = new Map<string, readonly string[] | undefined>();
  const of = (): Wishes => ({ wanted, adopted: new Set(), ...wishes });
  const oracle = createOracle(() => time, new Map([['first', id]]), of, new Map());
  const all = (sets: readonly RecordSet[]): Sets => byKey(sets);
  return {
    oracle,
    hand: (...sets) => oracle.byHand(all(sets)),
    write: (...sets) => oracle.wrote('first', all(sets), time),
    pass: (ms) => {
      time += ms;
    },
    look: () => {
      const standing = oracle.standing();
      const keys = [reports, markAt(domain)].map(({ name, type }) => `${name} ${type}`);
      oracle.looked('first', new Map(keys.map((one) => [one, standing.get(one)])));
    },
  };
}

describe('the oracle', () => {
  test.each<readonly [string, (at: Watched) => void]>([
    ['what a hand made before us is changed', ({ hand, write }) => [hand(theirs), write(reports)]],
    ['what a hand made before us is deleted', ({ hand, write }) => [hand(theirs), write()]],
    ['its TTL alone is changed', ({ hand, write }) => [hand(theirs), write({ ...theirs, ttl: 60 })]],
    [
      'what a hand made is changed after ours was seen gone',
      ({ hand, write, look }) => [write(reports), write(), look(), hand(theirs), write(reports)],
    ],
    [
      'beside our mark a set of another shape is changed',
      ({ hand, write }) => [
        hand(markAt(host, markOf(id)), tlsa('2 1 1 00')),
        write(markAt(host, markOf(id)), tlsa(key)),
      ],
    ],
    [
      'something is written beside another installation’s mark',
      ({ hand, write, pass }) => {
        const mark = markAt(host, markOf('installation-other'));
        hand(mark);
        pass(120_000);
        write(mark, tlsa(key));
      },
    ],
    [
      'something is written below a wildcard',
      ({ hand, write, pass }) => {
        const wildcard: RecordSet = { name: '*.example.test', type: 'A', ttl: 300, values: ['192.0.2.3'] };
        hand(wildcard);
        pass(120_000);
        write(wildcard, reports);
      },
    ],
    [
      'what is altered again and again is restored without a pause',
      ({ hand, write, look }) => {
        write(reports);
        for (let times = 0; times < 5; times += 1) {
          look();
          hand(theirs);
          write(reports);
        }
      },
    ],
  ])('tells that %s', (_, play) => {
    const at = watched();
    play(at);
    expect(at.oracle.violations).not.toEqual([]);
  });

  test.each<readonly [string, (at: Watched) => void]>([
    [
      'what is published is changed and removed',
      ({ write }) => [write(reports), write({ ...reports, ttl: 60 }), write()],
    ],
    ['an edit of what is published is taken back', ({ hand, write }) => [write(reports), hand(theirs), write(reports)]],
    [
      'beside our mark a set of our shape is changed, where nothing is remembered',
      ({ hand, write }) => [hand(markAt(host, markOf(id)), tlsa(key)), write(markAt(host, markOf(id)), tlsa(key, key))],
    ],
    [
      'what was tried, and stands word for word, is changed',
      ({ oracle, hand, write }) => [oracle.tries('first', [reports]), hand(reports), write({ ...reports, ttl: 60 })],
    ],
  ])('is silent where %s', (_, play) => {
    const at = watched();
    play(at);
    expect(at.oracle.violations).toEqual([]);
  });

  test('is silent where what the user gave is changed', () => {
    const { oracle, hand, write } = watched({ adopted: new Set([`${reports.name} TXT`]) });
    hand(theirs);
    write(reports);
    expect(oracle.violations).toEqual([]);
  });
});
