/** What was seen of an exchanger's hosts, put as the key rollover asks for it. */
import { gate } from '../dane/rollover.ts';
import type { LiveSet, RolloverFacts } from '../dane/keystate.ts';
import { tlsaName } from '../dane/tlsa.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { MountedSecret, ObservedExchanger, ObservedHost } from './exchanger.ts';
import type { AppliedSet, ExchangerState, StoredKey } from './state.ts';

/** A stored key by its fingerprint. */
export function keyNamed(state: Pick<ExchangerState, 'keys'>, spkiSha256: string): StoredKey {
  const key = state.keys.find((one) => one.spkiSha256 === spkiSha256);
  if (key === undefined) throw new Error(`the durable state lacks the key ${spkiSha256}`);
  return key;
}

const tlsaSets = (state: ExchangerState): readonly AppliedSet[] => state.applied.filter(({ type }) => type === 'TLSA');

/** The worst that DNSSEC says of the hosts that DANE could apply to; `Insecure` only where it applies to none. */
function zoneOf(hosts: readonly ObservedHost[]): RolloverFacts['zone'] {
  const verdicts = hosts.map(({ security }) => security.verdict);
  const order = ['Bogus', 'Unknown', 'Secure'] as const;
  return order.find((verdict) => verdicts.includes(verdict)) ?? 'Insecure';
}

function liveSet({ host, liveTlsa, security }: ObservedHost): LiveSet {
  const name = tlsaName(host, 25);
  switch (liveTlsa.outcome) {
    case 'Found':
      if (liveTlsa.authentic) return { name, outcome: 'Secure', values: liveTlsa.values };
      return { name, outcome: security.verdict === 'Insecure' ? 'Insecure' : 'Unknown', values: liveTlsa.values };
    case 'NoData':
    case 'NxDomain':
      return { name, outcome: security.verdict === 'Unknown' ? 'Unknown' : 'Absent', values: [] };
    case 'ServFail':
    case 'Bogus':
    case 'Unreachable':
      return { name, outcome: 'Unknown', values: [] };
  }
}

/** What an address presents, by a probe; where no probe reaches it, by what the agent on the host attests. */
function presentedAt(host: ObservedHost): RolloverFacts['presented'] {
  const attested = host.attestation?.error === undefined ? host.attestation?.presents?.spkiSha256 : undefined;
  if (host.probes.length === 0) return [{ address: host.host, key: undefined }];
  return host.probes.map(({ address, result }) => {
    const where = `${host.host} [${address}]`;
    switch (result.outcome) {
      case 'Tls':
        return { address: where, key: result.chain[0]?.spkiSha256 };
      case 'Unknown':
      case 'Blocked':
      case 'Temporary':
        return { address: where, key: attested };
      case 'NoStartTls':
      case 'TlsFailed':
      case 'NotSmtp':
        return { address: where, key: undefined };
    }
  });
}

/** Since when every host's set has shown a key: the last of them counts, and one that lacks it undoes it. */
function standingOf(desired: DesiredExchanger, state: ExchangerState): Readonly<Record<string, number>> {
  const sets = tlsaSets(state).filter(({ name }) => desired.hosts.some(({ host }) => name === tlsaName(host, 25)));
  const standing: Record<string, number> = {};
  for (const { spkiSha256 } of state.keys) {
    const since = sets.map((set) => (set.values.includes(`3 1 1 ${spkiSha256}`) ? set.since : undefined));
    const known = since.filter((time) => time !== undefined);
    if (known.length > 0 && known.length === since.length) standing[spkiSha256] = Math.max(...known);
  }
  return standing;
}

/** A set of ours that stands, or was stored as standing: what is seen outranks what was stored. */
export function isPublished(observed: ObservedExchanger, state: ExchangerState): boolean {
  const seen = tlsaSets(state).some((set) => {
    const live = observed.views.get(`${set.name} TLSA`)?.live;
    return live !== undefined && set.standing !== 'Found' && live.values.some((value) => set.values.includes(value));
  });
  return state.rollover.published || seen;
}

const deliveredKey = (mounted: MountedSecret, state: ExchangerState): string | undefined => {
  if (mounted.is !== 'Ours') return undefined;
  const pem = Buffer.from(mounted.object.data?.['tls.key'] ?? '', 'base64').toString('utf8');
  return state.keys.find((key) => key.pem === pem)?.spkiSha256;
};

export function rolloverFacts(
  desired: DesiredExchanger,
  observed: ObservedExchanger,
  state: ExchangerState,
  now: number,
): RolloverFacts {
  const { certificate } = state;
  const old = Math.max(0, ...tlsaSets(state).map(({ previousTtl }) => previousTtl));
  const settleSeconds = Math.max(0, ...desired.hosts.map(({ grant }) => grant.settleSeconds));
  return {
    now,
    wanted: 'Nothing',
    held: desired.suspended,
    dane: desired.dane.mode,
    zone: zoneOf(observed.hosts),
    chainMoving: false,
    standing: standingOf(desired, state),
    gateMs: gate({ ttls: { old, new: desired.dane.ttlSeconds }, settleSeconds }),
    certificates: certificate !== undefined && certificate.notAfter > now ? [certificate.spkiSha256] : [],
    delivered: deliveredKey(observed.mounted, state),
    spare: undefined,
    presented: observed.hosts.flatMap(presentedAt),
    attested: observed.hosts.flatMap(({ host, attestation }) =>
      attestation === undefined ? [] : [{ endpoint: `agent of ${host}`, key: attestation.presents?.spkiSha256 }],
    ),
    live: observed.hosts.map(liveSet),
    adopt: false,
  };
}
