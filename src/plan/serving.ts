/** Whether the newest policy is served wherever a sender may fetch it: the proof that its id waits for. */
import type { Publication } from '../mtasts/lifecycle.ts';
import { parsePolicy } from '../mtasts/policy.ts';
import type { PolicyFetch } from '../pki/observed.ts';
import { type HostEntry, isOfPublication, recertified, revisionOf } from '../policyshard/shard.ts';
import { canonical } from '../api/canonical.ts';
import type { Change } from './change.ts';
import type { ObservedDomain } from './domain.ts';
import { httpAnswers } from './http-proof.ts';
import type { DomainState } from './state.ts';

export interface Serving {
  /** Every pod that exists shows the newest publication, and so does the published address. */
  readonly everywhere: boolean;
  readonly lagging: readonly string[];
  /** What strict senders refuse, and most pass over. */
  readonly odd: string | undefined;
}

/** RFC 8461 §3.2: senders should refuse what is not text/plain, whatever its parameters. */
function oddType(fetch: PolicyFetch | undefined): string | undefined {
  if (fetch?.outcome !== 'Fetched') return undefined;
  const type = fetch.contentType.split(';', 1).join('').trim().toLowerCase();
  return type === 'text/plain' ? undefined : type === '' ? 'without a media type' : `as ${type}`;
}

export function servingOf(
  observed: Pick<ObservedDomain, 'pods' | 'outsideFetch'>,
  publication: Publication,
  state: DomainState,
): Serving {
  const wrong = (fetch: PolicyFetch | undefined): string | undefined => {
    if (fetch === undefined) return 'was not asked yet: it has no address, or was given nothing';
    if (fetch.outcome === 'Failed') return fetch.detail;
    if (fetch.body !== publication.body) {
      const odd = oddType(fetch);
      return parsePolicy(fetch.body).ok ? 'shows another policy' : `shows what is no policy${odd ? `, ${odd}` : ''}`;
    }
    return fetch.spkiSha256 === state.key.spkiSha256 ? undefined : 'shows another certificate';
  };
  // What a pod was given last may be on its way still, while it shows the same words of an earlier publication.
  const outdated = (fetch: PolicyFetch | undefined): string | undefined => {
    const revision = fetch?.outcome === 'Fetched' ? fetch.revision : undefined;
    const fits = revision === undefined || isOfPublication(revision, publication.body, publication.id);
    return fits ? undefined : 'shows an earlier publication';
  };
  const lagging = observed.pods.flatMap(({ pod, served }) => {
    const problem = wrong(served) ?? outdated(served);
    return problem === undefined ? [] : [`pod ${pod}: ${problem}`];
  });
  if (observed.pods.length === 0) lagging.push('there is no policy pod');
  const outside = wrong(observed.outsideFetch);
  if (outside !== undefined)
    lagging.push(`by its published address: ${observed.outsideFetch === undefined ? 'not asked yet' : outside}`);
  const odd = oddType(observed.outsideFetch);
  return { everywhere: lagging.length === 0, lagging, odd: odd && `the published address shows it ${odd}` };
}

/** Body before id; and nothing is promised to be enforced that no sender could keep. */
export function holdOf(publication: Publication, serving: Serving, doubts: readonly string[]): string | undefined {
  if (!serving.everywhere) return `waits until the policy is served everywhere (${serving.lagging.join('; ')})`;
  const first = publication.mode === 'enforce' && publication.shownSince === undefined;
  return first && doubts.length > 0 ? `waits until enforcing is safe (${doubts.join('; ')})` : undefined;
}

const answering = ({ order }: DomainState): Pick<HostEntry, 'http01'> => {
  const http01 = httpAnswers(order);
  return http01 === undefined ? {} : { http01 };
};

const isSame = (given: HostEntry | undefined, entry: HostEntry): boolean => canonical(given) === canonical(entry);

/** Before there is a certificate the pods have nothing to show but the proofs for the first. */
function firstAnswers(host: string, given: HostEntry | undefined, state: DomainState): readonly Change[] {
  const answers = answering(state);
  const entry: HostEntry = { policy: null, revision: revisionOf(null, null), certificate: null, key: null, ...answers };
  if (answers.http01 === undefined || isSame(given, entry)) return [];
  return [{ do: 'Serve', why: 'the pods are to answer the CA', host, entry }];
}

/** A renewed certificate for the entry that has the same key already, with the policy that it shows, and what proves the next: nothing may stop it. */
export function renewedEntry(state: DomainState, entry: HostEntry | undefined): readonly Change[] {
  const { certificate, key, domain } = state;
  if (certificate === undefined || entry?.key !== key.pem) return [];
  const { policy, revision, certificate: shown } = entry;
  const { chain } = certificate;
  const renewed: HostEntry = {
    policy,
    revision: shown === chain ? revision : recertified(revision, chain),
    certificate: chain,
    key: key.pem,
    ...answering(state),
  };
  if (isSame(entry, renewed)) return [];
  const why = shown === chain ? 'the pods answer the CA, or do so no more' : 'the certificate was renewed';
  return [{ do: 'Serve', why, host: `mta-sts.${domain}`, entry: renewed }];
}

/** What the policy pods are to show, where they were given something else. */
export function planServe(
  host: string,
  given: HostEntry | undefined,
  state: DomainState,
  publication: Publication,
): readonly Change[] {
  const { certificate } = state;
  if (certificate === undefined) return firstAnswers(host, given, state);
  const policy = publication.body;
  const revision = revisionOf(policy, certificate.chain, publication.id);
  const entry: HostEntry = {
    policy,
    revision,
    certificate: certificate.chain,
    key: state.key.pem,
    ...answering(state),
  };
  if (isSame(given, entry)) return [];
  return [{ do: 'Serve', why: 'the pods are to show the newest policy and certificate', host, entry }];
}
