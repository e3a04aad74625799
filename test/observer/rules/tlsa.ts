/**
 * I1: whatever certificate a host presents, every TLSA set that any cache may still hold has a record for it. I17: no
 * key is delivered to a host whose live TLSA set it does not match.
 */
import { createHash, type X509Certificate } from 'node:crypto';
import { isBelow, type MakeRule, type RecordSet } from '../sightings.ts';
import { certificatesIn, textOf } from './pem.ts';

interface Held {
  readonly host: string;
  readonly set: RecordSet;
  /** It stood at this moment at the latest, for the first time. */
  readonly firstTo: number;
  /** It stood at this moment or later, for the last time: a cache that asked then holds it for its TTL. */
  lastFrom: number;
}

const tlsaPrefix = '_25._tcp.';

export const cachedTlsa: MakeRule = ({ hosts, insecure }, say) => {
  const held = new Map<string, Held>();
  return (sighting) => {
    if (sighting.of === 'set' && sighting.type === 'TLSA') {
      const { set, from, to } = sighting;
      if (set === undefined || insecure.some((zone) => isBelow(set.name, zone))) return;
      const key = `${set.name} ${set.ttl} ${set.values.join(' | ')}`;
      const known = held.get(key) ?? { host: set.name.slice(tlsaPrefix.length), set, firstTo: to, lastFrom: from };
      known.lastFrom = Math.max(known.lastFrom, from);
      held.set(key, known);
    }
    if (sighting.of !== 'presented' || sighting.chain === undefined) return;
    const { chain, address, from, to } = sighting;
    const here = hosts.filter((one) => one.address === address).map(({ host }) => host);
    for (const { host, set, firstTo, lastFrom } of held.values()) {
      const surely = here.includes(host) && firstTo <= from && to < lastFrom + set.ttl * 1000;
      if (!surely || matches(set.values, chain)) continue;
      const leaf = chain[0] === undefined ? 'nothing' : `key ${spki(chain[0]).slice(0, 16)}…`;
      say('I1', to, `${host} at ${address} serves ${leaf}, a resolver may still hold TLSA {${set.values.join(', ')}}`);
    }
  };
};

/** Only what stood before the delivery and after it is held against it. */
export const deliveredKeys: MakeRule = ({ insecure }, say) => {
  interface Delivery {
    readonly at: number;
    readonly secret: string;
    readonly leaf: X509Certificate;
    readonly hosts: readonly string[];
  }
  const live = new Map<string, { readonly set: RecordSet; readonly to: number }>();
  const keys = new Map<string, string>();
  const hostsOf = new Map<string, readonly string[]>();
  let open: Delivery[] = [];
  return (sighting) => {
    if (sighting.of === 'object') {
      const { thing, change, at } = sighting;
      const { namespace, name, labels = {} } = thing.metadata;
      if (thing.kind === 'MailExchanger')
        hostsOf.set(`${namespace}/${name}`, (thing.spec?.['hosts'] ?? []) as string[]);
      if (thing.kind !== 'Secret' || thing.type !== 'kubernetes.io/tls' || change === 'Gone') return;
      const owner = labels['mailseal.dev/exchanger'];
      const [leaf] = certificatesIn(textOf(thing, 'tls.crt'));
      if (owner === undefined || leaf === undefined) return;
      const secret = `${namespace}/${name}`;
      const key = spki(leaf);
      if (change === 'Changed' && keys.get(secret) !== key) {
        open.push({ at, secret, leaf, hosts: hostsOf.get(`${namespace}/${owner}`) ?? [] });
      }
      keys.set(secret, key);
    }
    if (sighting.of !== 'set' || sighting.type !== 'TLSA') return;
    const { set, name, server, from, to } = sighting;
    const at = `${server} ${name}`;
    const before = live.get(at);
    open = open.filter((delivery) => {
      const meant = delivery.hosts.some((host) => name === `${tlsaPrefix}${host}`);
      if (!meant || from < delivery.at) return true;
      const stood = before !== undefined && before.to <= delivery.at ? before.set : undefined;
      const same = stood !== undefined && set !== undefined && stood.values.join() === set.values.join();
      const secure = !insecure.some((zone) => isBelow(name, zone));
      if (same && secure && !matches(set.values, [delivery.leaf])) {
        const words = `holds TLSA {${set.values.join(', ')}}, which does not match`;
        say('I17', delivery.at, `a key was delivered in Secret ${delivery.secret} while ${name} ${words}`);
      }
      return to - delivery.at < 2000;
    });
    if (set === undefined) live.delete(at);
    else live.set(at, { set, to });
  };
};

export const spki = (certificate: X509Certificate): string =>
  createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');

/** RFC 7672 §3.1: usages 2 and 3; a set without any that can be used asks for no certificate. */
export function matches(values: readonly string[], chain: readonly X509Certificate[]): boolean {
  const records = values.map((value) => value.split(' ')).filter(([usage]) => usage === '2' || usage === '3');
  const [leaf] = chain;
  if (records.length === 0) return true;
  if (leaf === undefined) return false;
  return records.some(([usage, selector, matching, data = '']) =>
    (usage === '3' ? [leaf] : chain).some((one) => fingerprint(one, selector, matching) === data.toLowerCase()),
  );
}

function fingerprint(certificate: X509Certificate, selector = '', matching = ''): string {
  const content =
    selector === '1' ? certificate.publicKey.export({ type: 'spki', format: 'der' }) : Buffer.from(certificate.raw);
  if (matching === '0') return content.toString('hex');
  return createHash(matching === '2' ? 'sha512' : 'sha256')
    .update(content)
    .digest('hex');
}
