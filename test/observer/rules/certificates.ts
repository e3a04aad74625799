/**
 * I7: key and certificate come as one pair in one write, unexpired, in the right names. I8: the validity that is served
 * never falls below its floor while the CA is there. I19: not even where everything else is suspended.
 */
import { createPrivateKey, type X509Certificate } from 'node:crypto';
import type { Invariant, MakeRule, Thing } from '../sightings.ts';
import { certificatesIn, covers, namesOf, shardOf, textOf } from './pem.ts';
import { canonical } from './policy-hosts.ts';

const ourLabel = 'app.kubernetes.io/managed-by';

export const pairs: MakeRule = (_scene, say) => {
  /** Each list of hosts that a spec of the exchanger had. */
  const specs = new Map<string, (readonly string[])[]>();

  const judge = (
    pair: { where: string; certificate: string; key: string },
    at: number,
  ): X509Certificate | undefined => {
    const { where, certificate, key } = pair;
    try {
      const [leaf] = certificatesIn(certificate);
      if (leaf === undefined) throw new Error('there is no certificate');
      if (!leaf.checkPrivateKey(createPrivateKey(key))) say('I7', at, `${where}: the key is not the certificate's`);
      if (leaf.validToDate.getTime() <= at) say('I7', at, `${where}: the certificate ended at ${leaf.validTo}`);
      return leaf;
    } catch (error) {
      say('I7', at, `${where} holds no pair: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const judgeMounted = (thing: Thing, at: number): void => {
    const { namespace, name, labels = {} } = thing.metadata;
    const where = `Secret ${namespace}/${name}`;
    const leaf = judge({ where, certificate: textOf(thing, 'tls.crt'), key: textOf(thing, 'tls.key') }, at);
    const wanted = specs.get(`${namespace}/${labels['mailseal.dev/exchanger']}`) ?? [];
    if (leaf === undefined || wanted.length === 0) return;
    const names = namesOf(leaf);
    const right = wanted.some((hosts) => hosts.every((host) => covers(names, host)));
    if (!right) say('I7', at, `${where}: the certificate names ${names.join(', ')}, not ${wanted.at(-1)?.join(', ')}`);
  };
  const judgeShard = (thing: Thing, at: number): void => {
    for (const [host, { certificate, key }] of Object.entries(shardOf(thing))) {
      const where = `${host} in Secret ${thing.metadata.name}`;
      const leaf = judge({ where, certificate, key }, at);
      if (leaf !== undefined && !covers(namesOf(leaf), host)) {
        say('I7', at, `${where}: the certificate names ${namesOf(leaf).join(', ')}`);
      }
    }
  };

  return (sighting) => {
    if (sighting.of === 'presented' || sighting.of === 'served') {
      const [leaf] = sighting.chain ?? [];
      const where = sighting.of === 'presented' ? `${sighting.host} at ${sighting.address}` : `pod ${sighting.pod}`;
      // What a host had before Mailseal gave it anything is not of its making.
      const name = sighting.of === 'presented' ? sighting.host : `mta-sts.${sighting.domain}`;
      const given = leaf !== undefined && covers(namesOf(leaf), name);
      const ended = given && leaf.validToDate.getTime() < sighting.from;
      if (ended) say('I7', sighting.to, `${where} presents a certificate that ended at ${leaf.validTo}`);
    }
    if (sighting.of !== 'object') return;
    const { thing, change, at } = sighting;
    const { namespace, name } = thing.metadata;
    if (thing.kind === 'MailExchanger') {
      const hosts = ((thing.spec?.['hosts'] ?? []) as string[]).map(canonical);
      const key = `${namespace}/${name}`;
      specs.set(key, change === 'Gone' ? [] : [...(specs.get(key) ?? []), hosts]);
    }
    const ours = thing.metadata.labels?.[ourLabel] === 'mailseal';
    if (thing.kind !== 'Secret' || change !== 'Changed' || !ours) return;
    if (thing.type === 'kubernetes.io/tls') judgeMounted(thing, at);
    else judgeShard(thing, at);
  };
};

/** A third of a lifetime is left when a renewal is due; a fifth is left to make it. */
const floorShare = 0.2;

export const validity: MakeRule = ({ hosts, domains }, say) => {
  let away = 0;
  const suspended = new Set<string>();
  const floor = (leaf: X509Certificate): number => {
    const [begin, end] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
    return end - (end - begin) * floorShare;
  };
  return (sighting) => {
    if (sighting.of === 'told') {
      const { told } = sighting;
      if ((told.is === 'away' || told.is === 'back') && told.what !== 'views') away += told.is === 'away' ? 1 : -1;
    }
    if (sighting.of === 'object' && /^Mail(Domain|Exchanger)$/u.test(sighting.thing.kind)) {
      const { kind, metadata, spec } = sighting.thing;
      const key = `${kind} ${metadata.namespace}/${metadata.name}`;
      if (sighting.change !== 'Gone' && spec?.['suspend'] === true) suspended.add(key);
      else suspended.delete(key);
    }
    if ((sighting.of !== 'presented' && sighting.of !== 'served') || away > 0) return;
    const [leaf] = sighting.chain ?? [];
    if (leaf === undefined || sighting.from < floor(leaf)) return;
    const ours = [...hosts.map(({ host }) => host), ...domains.map((domain) => `mta-sts.${domain}`)];
    if (!ours.some((host) => covers(namesOf(leaf), host))) return;
    const invariant: Invariant = suspended.size > 0 ? 'I19' : 'I8';
    const where = sighting.of === 'presented' ? sighting.address : sighting.pod;
    const left = Math.round((leaf.validToDate.getTime() - sighting.from) / 1000);
    const words = `of ${namesOf(leaf).join(', ')} is still served by ${where} with ${left} s of validity left`;
    say(invariant, sighting.to, `the certificate ${leaf.serialNumber.slice(0, 12)} ${words}`);
  };
};
