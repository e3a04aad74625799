import { expect, test } from 'vitest';
import type { Unshown } from '../../src/plan/record-view.ts';
import { unshown } from '../../src/plan/unshown.ts';
import { txt, wanted } from './cases.ts';

const set = txt('_mta-sts.example.com', 'v=STSv1; id=1;');

test.each<readonly [Unshown, RegExp]>([
  ['ServerLagging', /is not yet at all name servers: ns2 WHY\. Check zone transfers/],
  ['ServerFailing', /ns2 WHY\. See the log of that server/],
  ['ServerLame', /ns2 WHY\. Make that server serve the zone, or take it out/],
  ['ServerSilent', /ns2 WHY\. Let this cluster reach every server/],
  ['NotApplied', /stands at the provider, and no name server shows it yet: ns2 WHY\. If it lasts, see at main why/],
])('%s is said with the server and with what to do', (kind, words) => {
  expect(unshown(wanted(set), { kind, why: 'ns2 WHY' })).toEqual({
    record: '_mta-sts.example.com TXT',
    reason: kind,
    message: expect.stringMatching(words),
  });
});

test('a provider that needs a while to settle is given it', () => {
  const { message } = unshown(wanted(set, { settleSeconds: 60 }), {
    kind: 'NotApplied',
    why: 'ns1 does not show it yet',
  });
  expect(message).toMatch(/If it lasts beyond the 60 s that main takes to settle/);
});
