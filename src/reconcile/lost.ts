/** The retirement of an object whose durable state was lost: what the DNS still has by our mark is withdrawn all the same. */
import type { RetirementSpec } from '../api/types.ts';
import { mailPorts, tlsaName } from '../dane/tlsa.ts';
import { defaultSecretName } from '../desired/exchanger.ts';
import { resolveIssuer } from '../desired/references.ts';
import type { ZoneGrant } from '../desired/zones.ts';
import { lookedUpAt } from '../dns/place.ts';
import { equalSets, type RecordSet, type RecordType } from '../dns/rrset.ts';
import { MailsealError } from '../errors.ts';
import { stsRecordName } from '../mtasts/record.ts';
import { drawKey, readMounted } from '../observe/exchanger.ts';
import { findZone } from '../observe/zone.ts';
import { answered } from '../observe/dns/shown.ts';
import { listLive } from '../observe/records.ts';
import { isOfOurShape } from '../plan/found.ts';
import { givenBy } from '../plan/keys.ts';
import { isOfHostShape, markName, markValue } from '../plan/ownership.ts';
import type { AppliedSet, State } from '../plan/state.ts';
import type { World } from '../world.ts';

/**
 * What stands beside our mark, and where; undefined where the world shows none: then nobody else is asked.
 * @throws MailsealError where the mark stands or may, and the zone can't be looked at.
 */
async function foundSets(
  world: World,
  namespace: string,
  of: string,
  sought: readonly (readonly [name: string, type: RecordType])[],
): Promise<{ readonly grant: ZoneGrant; readonly sets: readonly RecordSet[] } | undefined> {
  const name = markName(of);
  const marked = (values: readonly string[]): boolean => values.includes(markValue(world.installationId));
  const zone = await findZone(world, world.cache.providers(), { name: of, namespace });
  const at = zone.ok ? lookedUpAt({ ...zone.value, name }) : name;
  const seen = await world.outside.lookup(at, 'TXT');
  if (answered(seen) && !marked(seen.values)) return undefined;
  if (!zone.ok) throw new MailsealError(zone.reason, zone.message, { kind: 'Stalled' });
  const grant = zone.value;
  const all = [[name, 'TXT'] as const, ...sought].map(([at, type]) => ({ ...grant, name: at, type }));
  const live = await listLive(world, all);
  const sets = all.flatMap((set) => live.get(`${set.name} ${set.type}`) ?? []);
  return marked(sets.find((set) => set.name === name)?.values ?? []) ? { grant, sets } : undefined;
}

const asApplied = (set: RecordSet, { provider, zone, delegatedFrom }: ZoneGrant): AppliedSet => {
  const { name, type, ttl, values } = set;
  const place = { provider, zone, ...(delegatedFrom === undefined ? {} : { delegatedFrom }) };
  return { name, type, ttl, values, ...place, standing: 'Ours', previousTtl: ttl };
};

/** The hosts' sets are ours by their marks, which only stand beside sets of ours, where they have our shape. */
async function exchangerState(
  world: World,
  { namespace, name, hosts = [] }: RetirementSpec,
): Promise<State | undefined> {
  const applied: AppliedSet[] = [];
  for (const host of hosts) {
    const found = await foundSets(
      world,
      namespace,
      host,
      mailPorts.map((port) => [tlsaName(host, port), 'TLSA']),
    );
    const smtp = found?.sets.find(({ name }) => name === tlsaName(host));
    // Our sets of a host are all alike; what a human wrote for another port is not.
    const alike = (set: RecordSet): boolean => smtp !== undefined && equalSets({ ...set, name: smtp.name }, smtp);
    const ours = (found?.sets ?? []).filter(
      (set) => isOfHostShape(set, world.installationId) && (set.type !== 'TLSA' || alike(set)),
    );
    if (found !== undefined) applied.push(...ours.map((set) => asApplied(set, found.grant)));
  }
  if (applied.length === 0) return undefined;
  // Who makes the exchanger again goes on from here: hosts that present another key than the state names get no records.
  const mounted = await readMounted(world, { namespace, name, secretName: defaultSecretName(name) });
  const keys = [givenBy(mounted, []) ?? (await drawKey()), await drawKey()] as const;
  const [current, next] = keys.map(({ spkiSha256 }) => spkiSha256);
  const rollover = { phase: 'Steady', current: current ?? '', next: next ?? '', published: true } as const;
  return { formatVersion: 1, kind: 'exchanger', namespace, name, issuer: '', rollover, keys, applied, spent: [] };
}

/** Of a domain's sets those that have our shape; what was promised is taken in when its retirement is planned. */
async function domainState(world: World, spec: RetirementSpec): Promise<State | undefined> {
  const { domain = '', namespace, name } = spec;
  // Senders would not fetch the withdrawal from a host that signs for itself.
  const trusted = world.cache.issuers().filter((one) => one.spec.selfSigned === undefined);
  const issuer = resolveIssuer(trusted, { ref: undefined, remembered: undefined });
  const found = await foundSets(world, namespace, domain, [
    [stsRecordName(domain), 'TXT'],
    [`mta-sts.${domain}`, 'A'],
    [`mta-sts.${domain}`, 'AAAA'],
  ]);
  if (found === undefined) return undefined;
  const { grant, sets } = found;
  const views = new Map(sets.map((set) => [`${set.name} ${set.type}`, { live: set }]));
  const ours = sets.filter((set) =>
    set.name === markName(domain) ? isOfHostShape(set, world.installationId) : isOfOurShape(set, domain, views),
  );
  return {
    formatVersion: 1,
    kind: 'domain',
    namespace,
    name,
    domain,
    issuer: issuer.ok ? issuer.value.metadata.name : '',
    key: await drawKey(),
    applied: ours.map((set) => asApplied(set, grant)),
    spent: [],
    publications: [],
    listedHosts: [],
    removedHosts: [],
  };
}

/** A state to retire from, made of what the DNS shows; undefined where nothing of ours stands there. */
export const rebuilt = (world: World, spec: RetirementSpec): Promise<State | undefined> =>
  spec.what === 'Domain' ? domainState(world, spec) : exchangerState(world, spec);
