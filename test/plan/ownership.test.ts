import { describe, expect, test } from 'vitest';
import type { RecordSet } from '../../src/dns/rrset.ts';
import { owned } from '../../src/plan/ownership.ts';
import type { AppliedSet } from '../../src/plan/state.ts';
import { applied, txt } from './cases.ts';

const name = '_mta-sts.example.com';
const ours = txt(name, 'v=STSv1; id=1;');
const strange = txt(name, 'v=spf1 -all');
const intended = applied(ours, { standing: 'Intended' });
const found = applied(ours, { standing: 'Found' });

describe('whether a live set may be changed by us', () => {
  test.each<readonly [string, RecordSet, AppliedSet | undefined, boolean, boolean]>([
    ['nothing remembered, no mark: a stranger’s', strange, undefined, false, false],
    ['nothing remembered, but marked: ours, as after a restore', strange, undefined, true, true],
    ['ours by memory, edited by hand: ours', strange, applied(ours), false, true],
    ['intended and not what stands: a stranger was faster', strange, intended, false, false],
    ['intended, and the mark stands too: the set is still a stranger’s', strange, intended, true, false],
    ['intended and exactly what stands: written before a crash', ours, intended, false, true],
    ['found before we came: never ours', ours, found, false, false],
    ['found before we came, marked: never ours', ours, found, true, false],
  ])('%s', (_, set, entry, marked, want) => {
    expect(owned(set, entry, marked)).toBe(want);
  });
});
