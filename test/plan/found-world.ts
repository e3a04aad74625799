/** What the world may hold that no history knows: an id of ours that stands, a policy that is served. */
import type { RecordSet } from '../../src/dns/rrset.ts';
import { mintId } from '../../src/mtasts/lifecycle.ts';
import type { ObservedDomain } from '../../src/plan/domain.ts';
import type { HostEntry } from '../../src/policyshard/shard.ts';
import { day, now, txt } from './cases.ts';
import { address, bodyOf, entryOf, fetched, mark, viewsOf } from './domain-world.ts';

export const enforced: string = bodyOf('enforce', 2_419_200, 'mx1.example.com', 'old.example.com');
export const foundId: string = mintId(now - day, 'a body that nobody knows', []);
export const found: RecordSet = txt('_mta-sts.example.com', `v=STSv1; id=${foundId};`);
/** What a shard holds, though by a revision that nothing of ours has. */
export const strayEntry = (policy: string): HostEntry => ({ ...entryOf(policy, undefined), revision: 'r' });
export const showing = (body: string): Partial<ObservedDomain> => ({
  entry: strayEntry(body),
  pods: [{ pod: 'p1', served: fetched(body) }],
  outsideFetch: fetched(body),
});
export const standing = (sts: RecordSet = found): Partial<ObservedDomain> => ({ views: viewsOf(mark, address, sts) });
