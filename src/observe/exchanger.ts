import type { DesiredExchanger } from '../desired/exchanger.ts';
import { givenKey } from '../dane/keystate.ts';
import { traitsOfAll } from '../desired/zones.ts';
import { tlsaName } from '../dane/tlsa.ts';
import { standsAt } from '../dns/place.ts';
import { createKey } from '../apply/acme-keys.ts';
import { hasReason } from '../kube/error.ts';
import type { SecretObject } from '../kube/types.ts';
import { spkiSha256OfKey } from '../pki/certificate.ts';
import { type MountedSecret, type ObservedExchanger, type ObservedHost } from '../plan/exchanger.ts';
import { givenBy } from '../plan/keys.ts';
import { markName, marksBeside, markValue } from '../plan/ownership.ts';
import { recordKey } from '../plan/record-view.ts';
import type { ExchangerState, StoredKey } from '../plan/state.ts';
import { secretForbidden } from '../apply/apply.ts';
import type { World } from '../world.ts';
import { challengesLed, observeIssuance } from './certificate.ts';
import { removalHeld } from './removal-held.ts';
import { lookAtSecurity } from './security.ts';
import { type LedName, observeLeads } from './leads.ts';
import { askedOnce, observeRecords, type Sought } from './records.ts';

/** A new key, with the digest that its TLSA record would carry. */
export async function drawKey(): Promise<StoredKey> {
  const pem = await createKey('ECDSA-P256');
  return { algorithm: 'ECDSA-P256', pem, spkiSha256: spkiSha256OfKey(pem) };
}

/** The Secret that the MX hosts mount, as it lies in the tenant's namespace. */
export async function readMounted(
  world: World,
  desired: Pick<DesiredExchanger, 'namespace' | 'name' | 'secretName'>,
): Promise<MountedSecret> {
  const { namespace, secretName: name } = desired;
  try {
    const object = await world.kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    if (object === undefined) return { is: 'Absent' };
    const owner = object.metadata.labels?.['mailseal.dev/exchanger'];
    if (owner === desired.name) return { is: 'Ours', object };
    const whose =
      owner === undefined
        ? "exists and is not Mailseal's: delete it, or name"
        : `holds the certificate of MailExchanger ${owner}: name`;
    const message = `Secret ${namespace}/${name} ${whose} another in spec.certificate.secretName`;
    return { is: 'Foreign', message };
  } catch (error) {
    if (hasReason(error, 'Forbidden')) return { is: 'Forbidden', message: secretForbidden(namespace) };
    throw error;
  }
}

async function observeHost(
  world: World,
  desired: DesiredExchanger,
  { host, grant }: DesiredExchanger['hosts'][number],
  spkiSha256: string | undefined,
  askedAt: number,
): Promise<ObservedHost> {
  const attestation = world.cache.attestation(desired.namespace, desired.name, host);
  const wish = { spkiSha256, changedAt: Math.max(attestation?.at ?? 0, askedAt) };
  const [address, liveTlsa, probes] = await Promise.all([
    world.outside.lookup(host, 'A'),
    world.outside.lookup(tlsaName(host, 25), 'TLSA'),
    world.prober.probe(host, wish),
  ]);
  const alias = address.canonicalName === host ? undefined : tlsaName(address.canonicalName, 25);
  const aliasTlsa = alias === undefined ? undefined : await world.outside.lookup(alias, 'TLSA');
  // RFC 7672 §2.2.2: the address answer decides whether TLSA counts at all; the TLSA answer must be provable too.
  const { zone, delegatedFrom } = grant;
  const zones = delegatedFrom === undefined ? [zone] : [delegatedFrom, zone];
  const security = await lookAtSecurity(world, zones, [address, liveTlsa]);
  return { host, security, liveTlsa, aliasTlsa, probes, attestation };
}

function soughtRecords(desired: DesiredExchanger, world: World, state: ExchangerState | undefined): readonly Sought[] {
  const standing = (name: string): readonly string[] =>
    state?.applied.find((entry) => entry.name === name)?.values ?? [];
  const wanted = desired.hosts
    .flatMap(({ host, grant }): Sought[] => [
      { ...grant, name: markName(host), type: 'TXT', values: [markValue(world.installationId)], host },
      { ...grant, name: tlsaName(host, 25), type: 'TLSA', values: standing(tlsaName(host, 25)), host },
    ])
    .map((one): Sought => {
      const entry = state?.applied.find((stored) => recordKey(stored) === recordKey(one));
      // What was written elsewhere is looked for there, until it has gone.
      return entry !== undefined && standsAt(entry) !== standsAt(one) ? { ...entry, host: undefined, left: true } : one;
    });
  const known = new Set(wanted.map(recordKey));
  const left = (state?.applied ?? []).filter((entry) => !known.has(recordKey(entry)));
  const marks = marksBeside(left, world.installationId).filter((mark) => !known.has(recordKey(mark)));
  return [...wanted, ...[...left, ...marks].map((entry) => ({ ...entry, host: undefined, left: true as const }))];
}

/** The names whose records a human's CNAMEs lead to, of hosts that lie in zones of others. */
const soughtLed = ({ hosts, dane }: DesiredExchanger): readonly LedName[] =>
  dane.mode === 'Off' ? [] : hosts.map(({ host, grant }) => ({ ...grant, name: tlsaName(host, 25), host }));

/** Everything that the plan of an exchanger looks at. `askedAt`: when someone last asked for a fresh look. */
export async function observeExchanger(
  world: World,
  desired: DesiredExchanger,
  stored: { readonly state: ExchangerState } | undefined,
  request: { readonly askedAt: number; readonly providerRef: string | undefined; readonly settling: boolean },
): Promise<ObservedExchanger> {
  const state = stored?.state;
  const given = state === undefined ? undefined : givenKey(state.rollover);
  const issuer = await world.issuerOf(desired.issuer);
  const at = {
    ...world,
    authorities: askedOnce(world.authorities),
    providers: world.cache.providers(),
    traits: traitsOfAll(world.cache.providers()),
    namespace: desired.namespace,
    providerRef: request.providerRef,
    askedAt: request.askedAt,
  };
  const led = [...soughtLed(desired), ...(issuer.kind === 'acme' ? challengesLed(at, desired.certificateNames) : [])];
  const sought = soughtRecords(desired, world, state);
  const left = (state?.applied ?? []).filter((entry) =>
    sought.some((one) => one.left === true && recordKey(one) === recordKey(entry)),
  );
  const [mounted, views, leads, held, hosts, issuance] = await Promise.all([
    readMounted(world, desired),
    observeRecords(at, sought),
    observeLeads(at, led, false),
    removalHeld(world, left),
    Promise.all(desired.hosts.map((entry) => observeHost(world, desired, entry, given, request.askedAt))),
    observeIssuance(at, issuer, state),
  ]);
  const freshKeys =
    state === undefined ? ([givenBy(mounted, []) ?? (await drawKey()), await drawKey()] as const) : undefined;
  return {
    installationId: world.installationId,
    settling: request.settling,
    state,
    freshKeys,
    mounted,
    views,
    traits: at.traits,
    leads,
    removalHeld: held,
    hosts,
    certificate: { issuer, ...issuance },
  };
}
