/** What the addresses of MX hosts present, by probes and, where no probe reaches, by what agents attest. */
import type { RolloverFacts } from '../dane/keystate.ts';
import { tlsaOfKey } from '../dane/tlsa.ts';
import { verifyDane } from '../dane/verify.ts';
import type { SentCertificate, SmtpOutcome } from '../pki/observed.ts';
import type { ObservedHost } from './exchanger.ts';
import type { StoredCertificate } from './state.ts';

const dayMs = 86_400_000;
/** Agents write once a day at least: one that was silent for longer proves nothing any more. */
const attestationMs = 2 * dayMs;

/** The attestation of a host's agent, if it is recent enough to count. */
export function freshAttestation({ attestation }: ObservedHost, now: number): ObservedHost['attestation'] {
  return attestation !== undefined && now - attestation.at <= attestationMs ? attestation : undefined;
}

/** The key that the agent vouches for, where it has nothing to complain of. */
function attestedKey(host: ObservedHost, now: number): string | undefined {
  const attestation = freshAttestation(host, now);
  return attestation?.error === undefined ? attestation?.presents?.spkiSha256 : undefined;
}

const isSilent = ({ outcome }: SmtpOutcome): boolean =>
  outcome === 'Unknown' || outcome === 'Blocked' || outcome === 'Temporary';

const isOfKey = (value: string): boolean => value.startsWith('3 1 1 ');

/** Whether a set lets a host pass that sent this chain. */
function pins(records: readonly string[], host: string, sent: readonly SentCertificate[], now: number): boolean {
  const chain = sent.map(({ pem }) => pem);
  return verifyDane({ records, chain, names: [host], now }).verdict === 'Match';
}

/** The key that each address of a host presents; undefined where it is not known. A host without addresses counts as one. */
export function presentedAt(
  host: ObservedHost,
  now: number,
  adopted: readonly string[] = [],
): RolloverFacts['presented'] {
  if (host.probes.length === 0) return [{ address: host.host, key: undefined }];
  return host.probes.map(({ address, result }) => {
    const where = `${host.host} [${address}]`;
    if (result.outcome === 'Tls') {
      const also = adopted.filter((value) => !isOfKey(value) && pins([value], host.host, result.chain, now));
      const key = result.chain[0]?.spkiSha256;
      return { address: where, key, ...(also.length === 0 ? {} : { alsoPinnedBy: also }) };
    }
    return { address: where, key: isSilent(result) ? attestedKey(host, now) : undefined };
  });
}

/** Less than a fifth of its life is left. */
export const isEnding = (
  { notBefore, notAfter }: Pick<SentCertificate, 'notBefore' | 'notAfter'>,
  now: number,
): boolean => now > notAfter - (notAfter - notBefore) / 5;

/** Whether a probe saw the host with a certificate that ends soon. */
export const showsEnding = ({ probes }: ObservedHost, now: number): boolean =>
  probes.some(
    ({ result }) => result.outcome === 'Tls' && result.chain[0] !== undefined && isEnding(result.chain[0], now),
  );

/** Addresses that a probe saw with a key that the secure set which stands for their host does not name. */
export function unpinnedAddresses(
  { host, probes, security }: ObservedHost,
  now: number,
  pinned?: readonly string[],
): readonly string[] {
  const validates = security.verdict === 'Secure' || security.verdict === 'InMotion';
  if (pinned === undefined || !validates) return [];
  return probes.flatMap(({ address, result }) => {
    const key = result.outcome === 'Tls' ? result.chain[0]?.spkiSha256 : undefined;
    if (key === undefined || pinned.includes(tlsaOfKey(key))) return [];
    // What stood before us may pin what a host shows in another way.
    const others = pinned.filter((value) => !isOfKey(value));
    const passes = result.outcome === 'Tls' && others.length > 0 && pins(others, host, result.chain, now);
    return passes ? [] : [`${host} [${address}]`];
  });
}

/**
 * Addresses that are not known to present what they were given, in words: another key, no answer that an agent makes up
 * for, or an old certificate of the right key with less than a fifth of its life left, as a server shows that was not
 * reloaded since the renewal.
 */
export function laggingAddresses(
  hosts: readonly ObservedHost[],
  given: { readonly spkiSha256: string; readonly certificate: StoredCertificate | undefined },
  now: number,
): readonly string[] {
  return hosts.flatMap((host) => {
    if (host.probes.length === 0) return [`${host.host}: no address was found to probe`];
    const attested = attestedKey(host, now) === given.spkiSha256;
    return host.probes.flatMap(({ address, result }) => {
      const where = `${host.host} [${address}]`;
      if (result.outcome !== 'Tls') return isSilent(result) && attested ? [] : [`${where}: ${result.detail}`];
      const [leaf] = result.chain;
      if (leaf?.spkiSha256 !== given.spkiSha256) return [`${where} still shows another key`];
      const renewed = given.certificate !== undefined && given.certificate.notAfter > leaf.notAfter;
      if (!renewed || !isEnding(leaf, now)) return [];
      const end = new Date(leaf.notAfter).toISOString();
      return [
        `${where} still shows the certificate that ends at ${end}, though a new one was delivered: reload its mail server`,
      ];
    });
  });
}
