import { dropNamesAnnotation, type DesiredExchanger } from '../desired/exchanger.ts';
import { matchesHost } from '../pki/names.ts';
import type { SentCertificate } from '../pki/observed.ts';
import type { ObservedExchanger } from './exchanger.ts';
import type { ExchangerState } from './state.ts';

/** Of more a status has no room to speak. */
const mostNamed = 20;

/** A certificate that signs itself, as packages make one, has names that nobody can check. */
const counts = ({ issuer, subject, notAfter }: SentCertificate, now: number): boolean =>
  issuer !== subject && notAfter > now;

/**
 * What would be lost when ours takes the place of the certificates that the hosts present, in words: submission and
 * mailbox servers often share a certificate with the MX, under names of their own. Undefined where nothing is.
 */
export function lostNames(
  { dropNames = [] }: DesiredExchanger,
  { hosts, mounted }: Pick<ObservedExchanger, 'hosts' | 'mounted'>,
  { certificate, keys, imported }: ExchangerState,
  now: number,
): string | undefined {
  const ours = certificate?.names ?? [];
  const has = (name: string): boolean => matchesHost(ours, name);
  // A key of ours comes with a certificate of ours; one that was imported has one of others until ours is delivered.
  const isOurs = imported === undefined || mounted.is === 'Ours';
  const known = new Set(isOurs ? keys.map(({ spkiSha256 }) => spkiSha256) : []);
  const where = new Set<string>();
  const lost = new Set<string>();
  for (const { host, address, result } of hosts.flatMap(({ probes }) => probes)) {
    const leaf = result.outcome === 'Tls' ? result.chain[0] : undefined;
    if (leaf === undefined || known.has(leaf.spkiSha256) || !counts(leaf, now)) continue;
    const missing = leaf.names.filter((name) => !has(name) && !dropNames.includes(name.toLowerCase()));
    if (missing.length > 0) where.add(`${host} [${address}]`);
    for (const name of missing) lost.add(name);
  }
  if (lost.size === 0) return undefined;
  const names = [...lost].sort();
  const listed = names.slice(0, mostNamed).join(', ');
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return `the certificate at ${[...where].sort().join(', ')} is also for ${listed}${more}, which the one of Mailseal lacks: whoever connects by such a name would be turned away. List those that are used in spec.certificate.dnsNames, and those that are not in the annotation ${dropNamesAnnotation}`;
}
