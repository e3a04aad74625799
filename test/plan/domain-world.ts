import { free } from './certificate-world.ts';
import type { DesiredDomain } from '../../src/desired/domain.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import type { Publication } from '../../src/mtasts/lifecycle.ts';
import { formatPolicy, type Mode } from '../../src/mtasts/policy.ts';
import type { PolicyFetch } from '../../src/pki/observed.ts';
import { type DomainPlan, type ObservedDomain, type ObservedExchangerRef, planDomain } from '../../src/plan/domain.ts';
import type { RecordView } from '../../src/plan/record-view.ts';
import type { DomainState } from '../../src/plan/state.ts';
import { type HostEntry, revisionOf } from '../../src/policyshard/shard.ts';
import {
  answer,
  applied,
  certificate,
  day,
  desired,
  domainState,
  installationId,
  key,
  now,
  publication,
  seen,
  txt,
  views,
} from './cases.ts';

/** The policy that stands. */
export const live: Publication = publication({
  mode: 'enforce',
  maxAgeSeconds: 2_419_200,
  body: bodyOf('enforce', 2_419_200),
  shownSince: now - 90 * day,
});
export const mark: RecordSet = txt('_mailseal.example.com', `heritage=mailseal,owner=${installationId}`);
export const address: RecordSet = { name: 'mta-sts.example.com', type: 'A', ttl: 300, values: ['192.0.2.7'] };
export const stsOf = (id: string): RecordSet => txt('_mta-sts.example.com', `v=STSv1; id=${id};`);
export const sets: readonly RecordSet[] = [mark, address, stsOf(live.id)];
export const settled: DomainState = domainState({
  publications: [live],
  applied: sets.map((set) => applied(set)),
});

export function bodyOf(mode: Mode, maxAgeSeconds: number, ...mxs: readonly string[]): string {
  return formatPolicy({ mode, maxAgeSeconds, mxs: mxs.length === 0 ? ['mx1.example.com'] : mxs });
}

export function fetched(body: string, change: Partial<Extract<PolicyFetch, { outcome: 'Fetched' }>> = {}): PolicyFetch {
  return {
    address: '192.0.2.7',
    at: now,
    outcome: 'Fetched',
    body,
    contentType: 'text/plain',
    spkiSha256: key('c').spkiSha256,
    ...change,
  };
}

/** What a shard holds for the pods, as it was written for the publication of that id. */
export function entryOf(policy: string, id: string | undefined): HostEntry {
  const { chain } = certificate();
  return { policy, revision: revisionOf(policy, chain, id), certificate: chain, key: key('c').pem };
}

/** An exchanger that is not ready, and says why. */
export const unready = (name: string, message: string): ObservedExchangerRef => ({
  name,
  ready: false,
  message,
  doubt: { reason: 'ExchangerNotReady', message },
});

export function viewsOf(...all: readonly RecordSet[]): ReadonlyMap<string, RecordView> {
  const none = seen(undefined, { negativeTtl: 300 });
  const at = (name: string, type: string) => {
    const set = all.find((one) => one.name === name && one.type === type);
    return [`${name} ${type}`, set === undefined ? none : seen(set)] as const;
  };
  return views(
    at('_mailseal.example.com', 'TXT'),
    at('mta-sts.example.com', 'A'),
    at('mta-sts.example.com', 'AAAA'),
    at('_smtp._tls.example.com', 'TXT'),
    at('_mta-sts.example.com', 'TXT'),
  );
}

export function world(change: Partial<ObservedDomain> = {}): ObservedDomain {
  return {
    installationId,
    settling: false,
    state: settled,
    freshKey: undefined,
    views: viewsOf(...sets),
    traits: {},
    leads: new Map(),
    mx: {
      outside: answer('example.com', 'MX', { values: ['10 mx1.example.com'] }),
      servers: { hosts: ['mx1.example.com'], ttl: 300 },
    },
    exchangers: [{ name: 'mx', ready: true, message: '', doubt: undefined }],
    pods: [
      { pod: 'p1', served: fetched(live.body) },
      { pod: 'p2', served: fetched(live.body) },
    ],
    addresses: { ipv4: ['192.0.2.7'], ipv6: [] },
    outsideFetch: fetched(live.body),
    entry: entryOf(live.body, live.id),
    certificate: {
      issuer: { name: 'ca', kind: 'acme' },
      order: undefined,
      caa: free,
      challenges: [],
      spentLive: new Map(),
    },
    ...change,
  };
}

export function planOf(
  change: Partial<ObservedDomain> = {},
  wish: DesiredDomain = desired,
  at: number = now,
): DomainPlan {
  const made = planDomain(wish, world(change), at);
  if (made === undefined) throw new Error('there was no plan');
  return made;
}
