import { type DesiredExchanger, tlsaNames } from '../desired/exchanger.ts';
import { givenKey } from '../dane/keystate.ts';
import { traitsOfAll } from '../desired/zones.ts';
import { tlsaName } from '../dane/tlsa.ts';
import { standsAt } from '../dns/place.ts';
import { defaults } from '../api/defaults.ts';
import type { KeyAlgorithm } from '../api/types.ts';
import { createKey } from '../apply/acme-keys.ts';
import { hasReason } from '../kube/error.ts';
import type { SecretObject } from '../kube/types.ts';
import { spkiSha256OfKey } from '../pki/certificate.ts';
import { type MountedSecret, type ObservedExchanger, type ObservedHost } from '../plan/exchanger.ts';
import { isNextOfAnother } from '../plan/algorithm.ts';
import { mayImport } from '../plan/import.ts';
import { givenBy, isGiving } from '../plan/keys.ts';
import { markName, marksBeside, markValue, placeOf } from '../plan/ownership.ts';
import { recordKey } from '../plan/record-view.ts';
import { heldCertificate } from '../plan/restart.ts';
import type { ExchangerState, StoredKey } from '../plan/state.ts';
import { type FoundSource, judgeSource, type ObservedSource, type SourceWish } from '../plan/source.ts';
import { provesKeys } from '../plan/workloads.ts';
import { secretForbidden } from '../apply/apply.ts';
import type { IssuerApi } from '../apply/issuers.ts';
import type { World } from '../world.ts';
import { challengesLed, observeIssuance } from './certificate.ts';
import { readImported } from './import.ts';
import { removalHeld } from './removal-held.ts';
import { lookAtSecurity } from './security.ts';
import { observeWorkloads } from './workloads.ts';
import { type LedName, observeLeads } from './leads.ts';
import { askedOnce, observeRecords, type Sought } from './records.ts';

/** A new key, with the digest that its TLSA record would carry. */
export async function drawKey(algorithm: KeyAlgorithm = defaults.certificate.algorithm): Promise<StoredKey> {
  const pem = await createKey(algorithm);
  return { algorithm, pem, spkiSha256: spkiSha256OfKey(pem) };
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

async function readSource(world: Pick<World, 'kube'>, namespace: string, name: string): Promise<FoundSource> {
  try {
    const object = await world.kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    return object === undefined ? { is: 'Absent' } : { is: 'Found', object };
  } catch (error) {
    if (hasReason(error, 'Forbidden')) return { is: 'Forbidden' };
    throw error;
  }
}

/** What an external issuer's certificate comes in, judged as it is now; undefined where there is no such Secret to read. */
export async function observeSource(
  world: Pick<World, 'kube' | 'clock'>,
  wish: Omit<SourceWish, 'secretName' | 'now'> & { readonly secretName: string | undefined },
): Promise<ObservedSource | undefined> {
  const { secretName, namespace } = wish;
  if (secretName === undefined) return undefined;
  const found = await readSource(world, namespace, secretName);
  return judgeSource(found, { ...wish, secretName, now: world.clock.now() });
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
  const ports = await lookAtPorts(world, { host, aliasTlsa }, desired.dane.furtherPorts ?? []);
  const zones = delegatedFrom === undefined ? [zone] : [delegatedFrom, zone];
  const security = await lookAtSecurity(world, zones, [address, liveTlsa]);
  return { host, security, liveTlsa, aliasTlsa, ...ports, probes, attestation };
}

/** Ports at which a host's key may be pinned too, whoever published that. */
const pinnedPorts = [465, 587, 993] as const;

async function lookAtPorts(
  world: World,
  { host, aliasTlsa, portTlsa = [] }: Pick<ObservedHost, 'host' | 'aliasTlsa' | 'portTlsa'>,
  ports: readonly number[],
): Promise<Pick<ObservedHost, 'portTlsa'>> {
  const bases = [host, ...(aliasTlsa === undefined ? [] : [placeOf(aliasTlsa.name)])];
  const known = new Set(portTlsa.map(({ name }) => name));
  const names = bases.flatMap((base) => ports.map((port) => tlsaName(base, port))).filter((name) => !known.has(name));
  if (names.length === 0) return { portTlsa };
  const seen = names.map(async (name) => ({ name, answer: await world.outside.lookup(name, 'TLSA') }));
  return { portTlsa: [...portTlsa, ...(await Promise.all(seen))] };
}

function soughtRecords(desired: DesiredExchanger, world: World, state: ExchangerState | undefined): readonly Sought[] {
  const standing = (name: string): readonly string[] =>
    state?.applied.find((entry) => entry.name === name)?.values ?? [];
  const wanted = desired.hosts
    .flatMap(({ host, grant }): Sought[] => [
      { ...grant, name: markName(host), type: 'TXT', values: [markValue(world.installationId)], host },
      ...tlsaNames(host, desired.dane).map((name): Sought => {
        return { ...grant, name, type: 'TLSA', values: standing(name), host };
      }),
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
  dane.mode === 'Off'
    ? []
    : hosts.flatMap(({ host, grant }) => tlsaNames(host, dane).map((name) => ({ ...grant, name, host })));

/**
 * A rotation keeps two keys standing: the one after the next is made while the old one is still there; and so is the next
 * one anew, where the spec names another algorithm.
 */
function isSpareWanted(desired: DesiredExchanger, state: ExchangerState | undefined, { kind }: IssuerApi): boolean {
  if (state === undefined || kind === 'external') return false;
  const { phase, spare, current, next } = state.rollover;
  if (phase === 'Retiring') return spare === undefined;
  // An external issuer gave no key in advance.
  return next === current || isNextOfAnother(desired, state);
}

/** The key that the hosts have, if any, and another: drawn, or that of the source where keys come from there alone. */
async function drawFirst(
  { algorithm }: DesiredExchanger,
  mounted: MountedSecret,
  { kind }: IssuerApi,
  source: ObservedSource | undefined,
): Promise<ObservedExchanger['freshKeys']> {
  const held = givenBy(mounted, []);
  if (kind !== 'external') return [held ?? (await drawKey(algorithm)), await drawKey(algorithm)];
  const from = source?.is === 'Fit' ? source.key : held;
  return from === undefined ? undefined : [held ?? from, from];
}

/** Milliseconds: no older is a look at a host by which a TLSA record may go. */
const provenMs = 60_000;

/** Since when hosts must have been looked at: a record that some host may have gone back to is not removed on old proof. */
const lookedAtAfter = (state: ExchangerState | undefined, now: number): number =>
  state?.rollover.phase === 'Retiring' || state?.rollover.adopted !== undefined ? now - provenMs : 0;

/** What the Secret holds, and how far it has come in the workloads that start with it. */
export async function observeDelivered(
  world: World,
  place: Pick<DesiredExchanger, 'namespace' | 'name' | 'secretName' | 'restart'>,
  state: ExchangerState | undefined,
): Promise<Pick<ObservedExchanger, 'mounted' | 'workloads'>> {
  const mounted = await readMounted(world, place);
  const held = heldCertificate(mounted, state?.keys ?? [], world.clock.now());
  const seen = await observeWorkloads(world.kube, place, held, state === undefined || provesKeys(state.rollover));
  return { mounted, workloads: { held, seen } };
}

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
  const askedAt = Math.max(request.askedAt, lookedAtAfter(state, world.clock.now()));
  const [{ mounted, workloads }, views, leads, held, seen, issuance, source] = await Promise.all([
    observeDelivered(world, desired, state),
    observeRecords(at, sought),
    observeLeads(at, led, false),
    removalHeld(world, left),
    Promise.all(desired.hosts.map((entry) => observeHost(world, desired, entry, given, askedAt))),
    observeIssuance(at, issuer, state),
    observeSource(world, {
      namespace: desired.namespace,
      secretName: desired.sourceSecretName,
      names: desired.certificateNames,
      issuer: issuer.name,
    }),
  ]);
  const now = world.clock.now();
  const further = isGiving(desired, mounted, state, now) ? pinnedPorts : [];
  const hosts = await Promise.all(
    seen.map(async (host) => ({ ...host, ...(await lookAtPorts(world, host, further)) })),
  );
  const imported = mayImport(desired, state, { mounted, hosts }, now) ? await readImported(world, desired) : undefined;
  const freshKeys = state === undefined ? await drawFirst(desired, mounted, issuer, source) : undefined;
  const spareKey = isSpareWanted(desired, state, issuer) ? await drawKey(desired.algorithm) : undefined;
  return {
    installationId: world.installationId,
    settling: request.settling,
    state,
    steadySince: world.steadySince,
    freshKeys,
    spareKey,
    imported,
    mounted,
    workloads,
    views,
    traits: at.traits,
    leads,
    removalHeld: held,
    hosts,
    certificate: { issuer, ...issuance },
    source,
  };
}
