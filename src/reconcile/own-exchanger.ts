/** The MailExchanger that a domain which lists its hosts itself has of its own, under its own name. */
import { createHash } from 'node:crypto';
import { canonical } from '../api/canonical.ts';
import { apiVersion, type MailDomain, type MailExchanger } from '../api/types.ts';
import { MailsealError } from '../errors.ts';
import { adoptAnnotation } from '../desired/adopt.ts';
import { dropNamesAnnotation } from '../desired/exchanger.ts';
import { holdAnnotation, rotateNowAnnotation } from '../desired/rotation.ts';
import type { World } from '../world.ts';
import { finalizer } from './common.ts';

/** Digest of what the domain last asked for: tells a field that it no longer names from one that is someone else's. */
const askedAnnotation = 'mailseal.dev/made-from';
/** On all that we make; with the digest above it tells our exchanger from one that a human wrote. */
const managedBy = 'app.kubernetes.io/managed-by';

/** What the domain says of its exchanger; every other field of it is left to whoever wrote it. */
function specOf({
  spec: { mx, dnsProviderRef, deletionPolicy, suspend },
}: MailDomain): MailExchanger['spec'] | undefined {
  if (mx === undefined) return undefined;
  return {
    hosts: mx.hosts,
    ...(mx.certificate === undefined ? {} : { certificate: mx.certificate }),
    ...(mx.dane === undefined ? {} : { dane: mx.dane }),
    ...(mx.delivery === undefined ? {} : { delivery: mx.delivery }),
    ...(dnsProviderRef === undefined ? {} : { dnsProviderRef }),
    ...(deletionPolicy === undefined ? {} : { deletionPolicy }),
    ...(suspend === undefined ? {} : { suspend }),
  };
}

/** What a user may say of the keys and records of the hosts; written at the domain it goes for its exchanger. */
const passedOn = [adoptAnnotation, rotateNowAnnotation, holdAnnotation, dropNamesAnnotation] as const;

function annotationsOf({ metadata: { annotations = {} } }: MailDomain): Readonly<Record<string, string>> {
  return Object.fromEntries(
    passedOn.flatMap((name) => (annotations[name] === undefined ? [] : [[name, annotations[name]]])),
  );
}

const digestOf = (asked: unknown): string => createHash('sha256').update(canonical(asked)).digest('hex').slice(0, 16);

/** Everything in `wanted` stands in `live`; what others added beside it does not count. Lists of these kinds are sets. */
function holds(live: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    const standing = new Set(Array.isArray(live) ? live.map(canonical) : []);
    return wanted.every((item) => standing.has(canonical(item)));
  }
  if (typeof wanted !== 'object' || wanted === null) return live === wanted;
  if (typeof live !== 'object' || live === null) return false;
  const fields = new Map<string, unknown>(Object.entries(live));
  return Object.entries(wanted).every(([name, inner]) => holds(fields.get(name), inner));
}

type Owner = NonNullable<MailExchanger['metadata']['ownerReferences']>[number];

/**
 * The owners that an exchanger should have which the domain made and does not own: after a restore the domain has another
 * UID than the one that made it, and some backups leave out the owners. Undefined for every other one.
 */
function ownersAnew({ metadata }: MailExchanger, owner: Owner): readonly Owner[] | undefined {
  const { ownerReferences = [], annotations, labels, deletionTimestamp } = metadata;
  const made = annotations?.[askedAnnotation] !== undefined && deletionTimestamp === undefined;
  if (!made || ownerReferences.some(({ uid }) => uid === owner.uid)) return undefined;
  const isFormer = ({ kind, name }: Owner): boolean => kind === owner.kind && name === owner.name;
  const controller = ownerReferences.find((one) => one.controller === true);
  const unowned = controller === undefined && labels?.[managedBy] === 'mailseal';
  if (!unowned && (controller === undefined || !isFormer(controller))) return undefined;
  return [...ownerReferences.filter((one) => !isFormer(one)), owner];
}

/** Made the domain's own again, before the garbage collector takes it for an orphan. */
async function ownedAnew(world: World, exchanger: MailExchanger, owner: Owner): Promise<MailExchanger> {
  if (ownersAnew(exchanger, owner) === undefined) return exchanger;
  const { name, namespace = '', uid } = exchanger.metadata;
  // What is cached is not all of it, and not the latest.
  const whole = await world.kube.get<MailExchanger>({ apiVersion, kind: 'MailExchanger', name, namespace });
  if (whole === undefined || whole.metadata.uid !== uid) return exchanger;
  const ownerReferences = ownersAnew(whole, owner);
  if (ownerReferences === undefined) return whole;
  return world.kube.replace({ ...whole, metadata: { ...whole.metadata, ownerReferences } });
}

/** The domain's own exchanger as it should be; what is not there yet, or lags behind the domain, is to be written. */
export interface OwnExchanger {
  readonly exchanger: MailExchanger;
  readonly stands: boolean;
}

/**
 * What `ensureExchanger` would write, over `existing`; undefined where the domain refers to others.
 * @throws MailsealError `Conflict` where another object has its name.
 */
export function ownExchanger(mailDomain: MailDomain, existing: MailExchanger | undefined): OwnExchanger | undefined {
  const spec = specOf(mailDomain);
  if (spec === undefined) return undefined;
  const { name, namespace = '', uid = '' } = mailDomain.metadata;
  const owned = existing?.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
  if (existing !== undefined && !owned) {
    throw new MailsealError(
      'Conflict',
      `spec.mx needs a MailExchanger named ${name} of its own, but another one has that name: refer to it in spec.exchangerRefs, or rename one of them`,
      { kind: 'Stalled' },
    );
  }
  const annotations = annotationsOf(mailDomain);
  const asked = digestOf(Object.keys(annotations).length === 0 ? spec : { spec, annotations });
  const asAsked = existing?.metadata.annotations?.[askedAnnotation] === asked;
  if (asAsked && holds(existing?.spec, spec) && holds(existing?.metadata.annotations, annotations))
    return { exchanger: existing, stands: true };
  const metadata = {
    name,
    namespace,
    labels: { [managedBy]: 'mailseal' },
    annotations: { ...annotations, [askedAnnotation]: asked },
    finalizers: existing === undefined ? [finalizer] : (existing.metadata.finalizers ?? []),
    ownerReferences: [ownerOf(mailDomain)],
  };
  return { exchanger: { apiVersion, kind: 'MailExchanger', metadata, spec }, stands: false };
}

const ownerOf = ({ metadata: { name, uid = '' } }: MailDomain): Owner => ({
  apiVersion,
  kind: 'MailDomain',
  name,
  uid,
  controller: true,
});

/** As `existing` is when it belongs to the domain again, where the domain made it (see `ownersAnew`). */
export function asOwnedAnew(mailDomain: MailDomain, existing: MailExchanger): MailExchanger {
  const ownerReferences = ownersAnew(existing, ownerOf(mailDomain));
  return ownerReferences === undefined
    ? existing
    : { ...existing, metadata: { ...existing.metadata, ownerReferences } };
}

/**
 * The domain's own exchanger, made or brought up to what the domain says where it differs; undefined where the domain
 * refers to others.
 * @throws MailsealError `Conflict` where another object has its name.
 */
export async function ensureExchanger(world: World, mailDomain: MailDomain): Promise<MailExchanger | undefined> {
  if (mailDomain.spec.mx === undefined) return undefined;
  const { name, namespace = '' } = mailDomain.metadata;
  const found = world.cache.exchanger(namespace, name);
  const own = ownExchanger(mailDomain, found && (await ownedAnew(world, found, ownerOf(mailDomain))));
  if (own === undefined || own.stands) return own?.exchanger;
  return world.kube.apply<MailExchanger>(own.exchanger, { fieldManager: 'mailseal/exchanger' });
}
