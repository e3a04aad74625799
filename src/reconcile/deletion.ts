/** What a deletion leaves behind. It asks nobody but Kubernetes, so that it ends whatever else has gone. */
import { statusTimeOf } from '../api/conditions.ts';
import { defaults } from '../api/defaults.ts';
import { apiVersion, type MailDomain, type MailExchanger, type Retirement, type RetirementSpec } from '../api/types.ts';
import type { Claimant } from '../apply/claims.ts';
import { hashedName, type Loaded } from '../apply/store.ts';
import { secretNameOf } from '../desired/exchanger.ts';
import { MailsealError } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import { removeFinalizer } from '../kube/finalizers.ts';
import { markedHosts } from '../plan/ownership.ts';
import type { State } from '../plan/state.ts';
import type { World } from '../world.ts';
import { finalizer, labelOf } from './common.ts';

type Deleted = MailDomain | MailExchanger;
type Names = readonly (readonly ['domain' | 'host', string])[];

/** What the deleted object had: its claims, and where its durable state lies. */
export interface Estate {
  readonly claims: Names;
  readonly kind: State['kind'];
  readonly identity: string;
}

const claimantOf = ({ kind, metadata }: Deleted): Claimant => ({
  kind,
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});

const heirOf = (object: Deleted): Claimant => ({ ...claimantOf(object), kind: 'Retirement' });

/** One retirement for a domain, and for an exchanger's name. */
const retirementName = ({ kind, identity }: Estate): string => hashedName(kind, identity);

/** Hands over to a Retirement, or to the user, and lets go of the object. */
export async function endObject(world: World, object: Deleted, estate: Estate): Promise<void> {
  // It was let go already, and lingers for someone else.
  if (object.metadata.finalizers?.includes(finalizer) !== true) return;
  const policy = object.spec.deletionPolicy ?? defaults.deletionPolicy;
  const { state, known } = await inheritance(world, object, estate);
  const whole = { ...estate, claims: claimsOf(estate, state) };
  try {
    await releaseLeft(world, object, estate, state);
  } catch (error) {
    // A claim that nobody can read keeps no object from ending: it names who mends it to whoever wants the host next.
    if (!(error instanceof MailsealError)) throw error;
    world.log.warn('a host that left stays claimed', { object: labelOf(object), problem: error.message });
  }
  if (policy === 'Orphan') await orphan(world, object, whole, orphanWords(whole, state));
  else await retire(world, object, whole, known);
  await removeFinalizer(world.kube, object, finalizer);
}

interface Inheritance {
  /** Of this very object. */
  readonly state: State | undefined;
  /** It had what it claims, or nobody can tell that it had not: a claim that was lost is made anew. */
  readonly known: boolean;
}

/** A state that can't be read, or has gone, must not keep the object from ending. */
async function inheritance(world: World, object: Deleted, { kind, identity }: Estate): Promise<Inheritance> {
  const { namespace, name } = claimantOf(object);
  try {
    const stored: Loaded<State> | undefined =
      kind === 'domain' ? await world.store.load('domain', identity) : await world.store.load('exchanger', identity);
    if (stored === undefined) {
      const served = kind === 'domain' && (await world.shards.read(`mta-sts.${identity}`)) !== undefined;
      return { state: undefined, known: served };
    }
    const own = stored.state.namespace === namespace && stored.state.name === name;
    return { state: own ? stored.state : undefined, known: own };
  } catch (error) {
    if (error instanceof MailsealError) return { state: undefined, known: true };
    throw error;
  }
}

/** Hosts that were taken out of the spec, and whose records have not gone yet, belong to it too. */
function claimsOf({ claims, kind }: Estate, state: State | undefined): Names {
  if (kind === 'domain' || state === undefined) return claims;
  const hosts = new Set([...claims.map(([, host]) => host), ...markedHosts(state.applied)]);
  return [...hosts].map((host) => ['host', host] as const);
}

/**
 * Nothing of ours stands at hosts that left, and the stored state marks them no more: they are free for another object.
 * A state without them is stored after that, so that no death in between keeps a claim for ever.
 */
export async function releaseLeft(
  world: World,
  object: Deleted,
  estate: Estate,
  state: State | undefined,
): Promise<void> {
  if (state?.kind !== 'exchanger' || state.leftHosts === undefined) return;
  const kept = claimsOf(estate, state).map(([, name]) => name);
  for (const host of state.leftHosts)
    if (!kept.includes(host)) await world.claims.release('host', host, claimantOf(object));
}

async function retire(world: World, object: Deleted, estate: Estate, known: boolean): Promise<void> {
  const passed: [what: 'domain' | 'host', name: string][] = [];
  for (const [what, name] of estate.claims) {
    // What another object holds is not ours to withdraw.
    if (await world.claims.pass(what, name, claimantOf(object), known)) passed.push([what, name]);
  }
  if (passed.length === 0) return;
  if (!(await write(world, object, estate, passed))) {
    const message = `the kind Retirement is not there, and so nothing withdraws what was published: everything stays as it stands. Apply the CRDs and make the object again under its name, and it goes on from there`;
    for (const [what, name] of passed) await world.claims.release(what, name, heirOf(object));
    await orphan(world, object, { ...estate, claims: [] }, message);
    return;
  }
  const secret = object.kind === 'MailExchanger' ? ` ${secretNameOf(object)}` : '';
  const message =
    estate.kind === 'domain'
      ? `the policy of ${estate.identity} turns to mode none and is served until no sender can hold to an earlier one; then all records go. The Retirement ${retirementName(estate)} in the namespace of the operator sees to it`
      : `the TLSA records go first, then what marks them; the Secret${secret} that the hosts mount stays as long as its namespace does, and is renewed, with the same key, until no policy names the hosts any more. The Retirement ${retirementName(estate)} in the namespace of the operator sees to it, and the keys lie there until it ends`;
  void world.events.record(object, { type: 'Normal', reason: 'Retiring', action: 'Delete', message });
}

/** False: there is no such kind (any more), and so nobody who could see to it. */
async function write(world: World, object: Deleted, estate: Estate, passed: Names): Promise<boolean> {
  const { namespace = '', name, uid = '' } = object.metadata;
  const since = statusTimeOf(world.clock.now());
  const of = passed.map(([, claimed]) => claimed);
  const spec: RetirementSpec =
    estate.kind === 'domain'
      ? { what: 'Domain', namespace, name, domain: estate.identity, since }
      : { what: 'Exchanger', namespace, name, hosts: of, since };
  const retirement: Retirement = {
    apiVersion,
    kind: 'Retirement',
    metadata: {
      name: retirementName(estate),
      namespace: world.namespace,
      labels: { 'app.kubernetes.io/managed-by': 'mailseal' },
      annotations: { 'mailseal.dev/of-uid': uid },
    },
    spec,
  };
  try {
    await world.kube.create(retirement);
  } catch (error) {
    // Its CRD has gone, or is going.
    if (hasReason(error, 'NotFound', 'MethodNotAllowed')) return false;
    if (!hasReason(error, 'AlreadyExists')) throw error;
    await renew(world, retirement);
  }
  return true;
}

/** One that is about to end because the object had come back must not: the new version keeps it from that. */
async function renew(world: World, retirement: Retirement): Promise<void> {
  const { kind, metadata } = retirement;
  const found = await world.kube.get<Retirement>({ apiVersion, kind, namespace: world.namespace, name: metadata.name });
  if (found === undefined) return void (await world.kube.create(retirement));
  const uidOf = ({ metadata: { annotations } }: Retirement): string | undefined => annotations?.['mailseal.dev/of-uid'];
  if (uidOf(found) === uidOf(retirement)) return;
  const { resourceVersion = '' } = found.metadata;
  await world.kube.replace({ ...retirement, metadata: { ...metadata, resourceVersion } });
}

async function orphan(world: World, object: Deleted, { claims }: Estate, message: string): Promise<void> {
  world.log.warn('left as it stands', { object: labelOf(object), problem: message });
  void world.events.record(object, { type: 'Warning', reason: 'Orphaned', action: 'Delete', message });
  for (const [what, name] of claims) await world.claims.release(what, name, claimantOf(object));
}

/** What the user takes over, and until when it holds. */
function orphanWords({ kind, identity }: Estate, state: State | undefined): string {
  const notAfter = state?.certificate?.notAfter;
  const until = notAfter === undefined ? '' : `, which expires at ${statusTimeOf(notAfter)}`;
  return kind === 'domain'
    ? `everything stays for you to look after: renew the certificate of mta-sts.${identity}${until}, and keep the policy served, or withdraw it first by mode none`
    : `everything stays for you to look after: renew the certificate of the hosts${until}, with the same key or with TLSA records that match the new one`;
}

/**
 * The object has come back, and its retirement ends; what that kept on hold goes on. Of its hosts those are free that
 * the object neither names nor marks (`state`, its own): it has claimed all others before.
 */
export async function takeBack(world: World, estate: Estate, state?: State): Promise<void> {
  const retirement = world.cache.retirement(retirementName(estate));
  if (retirement === undefined) return;
  const { namespace, name, hosts = [] } = retirement.spec;
  const kept = new Set(claimsOf(estate, state).map(([, claimed]) => claimed));
  for (const host of hosts) {
    if (!kept.has(host)) await world.claims.release('host', host, { kind: 'Retirement', namespace, name });
  }
  const { uid = '', resourceVersion = '' } = retirement.metadata;
  const ref = { apiVersion, kind: 'Retirement', namespace: world.namespace, name: retirement.metadata.name };
  // A removal that is late must not meet the retirement as another deletion has renewed it.
  await world.kube.remove(ref, { uid, resourceVersion });
  world.log.info('taken back', { object: `Retirement ${world.namespace}/${retirement.metadata.name}` });
}
