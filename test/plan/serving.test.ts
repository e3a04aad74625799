import { describe, expect, test } from 'vitest';
import { type HostEntry, revisionOf } from '../../src/policyshard/shard.ts';
import { renewedEntry } from '../../src/plan/serving.ts';
import { certificate, domainState, key } from './cases.ts';

const state = domainState({ certificate: certificate({ chain: 'new chain' }) });
const entry = (change: Partial<HostEntry> = {}): HostEntry => ({
  policy: 'version: STSv1\n',
  certificate: 'old chain',
  key: key('c').pem,
  revision: revisionOf('version: STSv1\n', 'old chain'),
  ...change,
});

describe('a renewed certificate of the policy host', () => {
  test('goes to the pods with the policy that they show, also while the spec can’t be followed', () => {
    expect(renewedEntry(state, entry())).toEqual([
      {
        do: 'Serve',
        why: 'the certificate was renewed',
        host: 'mta-sts.example.com',
        entry: entry({ certificate: 'new chain', revision: revisionOf('version: STSv1\n', 'new chain') }),
      },
    ]);
  });
  test.each<readonly [string, HostEntry | undefined]>([
    ['nothing is served yet', undefined],
    ['another key is served', entry({ key: key('f').pem })],
    ['it is served already', entry({ certificate: 'new chain' })],
  ])('changes nothing where %s', (_, given) => {
    expect(renewedEntry(state, given)).toEqual([]);
  });
});
