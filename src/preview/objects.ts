/** Plans all objects of the files, each by what a look of the operator would plan. */
import { setConditions } from '../api/conditions.ts';
import type { CertificateIssuer, DNSProvider, MailDomain, MailExchanger, Retirement } from '../api/types.ts';
import { messageOf } from '../errors.ts';
import { claimDomain, loadDomain } from '../reconcile/domain.ts';
import {
  type GrantedDomain,
  grantDomain,
  lookAtDomain,
  type RememberedDomain,
  wishDomain,
} from '../reconcile/domain-plan.ts';
import { claimHosts, claimMarked, identityOfExchanger } from '../reconcile/exchanger.ts';
import { lookAtExchanger, wishExchanger } from '../reconcile/exchanger-plan.ts';
import { labelOf, troubleOf } from '../reconcile/common.ts';
import { checkSpec, proveProvider } from '../reconcile/grants.ts';
import { asOwnedAnew, ownExchanger } from '../reconcile/own-exchanger.ts';
import { askedAt } from '../reconcile/pace.ts';
import { summarise } from '../status/findings.ts';
import type { World } from '../world.ts';
import type { PreviewCache } from './cache.ts';
import { type ObjectPreview, quietPreview, type Step } from './preview.ts';
import { guarded } from './guarded.ts';
import { domainSteps, exchangerSteps } from './steps.ts';

/** A world whose exchangers may be made in memory. */
export type PreviewWorld = Omit<World, 'cache'> & { readonly cache: PreviewCache };

/** What is to be planned, as it would be in the cluster. */
export interface Selection {
  readonly providers: readonly DNSProvider[];
  readonly issuers: readonly CertificateIssuer[];
  readonly exchangers: readonly MailExchanger[];
  readonly domains: readonly MailDomain[];
}

/** Objects looked at side by side: each waits for slow peers most of the time. */
const atOnce = 8;

type Any = DNSProvider | CertificateIssuer | MailExchanger | MailDomain;

/** What a preview says whatever becomes of it. Of a spec that is wrong little can be told. */
function headOf(object: Any): Pick<ObjectPreview, 'kind' | 'namespace' | 'name' | 'about'> {
  const { namespace, name } = object.metadata;
  return { kind: object.kind, ...(namespace === undefined ? {} : { namespace }), name, about: aboutOf(object) };
}

function aboutOf(object: Any): string {
  const text = (value: unknown): string =>
    typeof value === 'string' ? value : Array.isArray(value) ? value.join(', ') : '';
  switch (object.kind) {
    case 'DNSProvider':
      return text(object.spec?.zones);
    case 'CertificateIssuer':
      return text(object.spec?.acme?.server ?? (object.spec?.external === undefined ? 'selfSigned' : 'external'));
    case 'MailExchanger':
      return text(object.spec?.hosts);
    case 'MailDomain':
      return text(object.spec?.domain);
  }
}

function failed(object: Any, error: unknown): ObjectPreview {
  const trouble = troubleOf(error) ?? {
    reason: 'RecordChanged',
    message: `something changed meanwhile: ${messageOf(error)}`,
  };
  const { reason, message } = trouble;
  return { ...headOf(object), ...quietPreview, error: { reason, message } };
}

/** One that is being deleted is not planned: deletion is no change of the files. */
const leaving = (object: Any): ObjectPreview => ({
  ...headOf(object),
  ...quietPreview,
  waits: [{ what: 'the object is being deleted: what it published is withdrawn by a Retirement' }],
});

/** Grants first, then exchangers, then the domains that live by them. */
export async function previewAll(world: PreviewWorld, selection: Selection): Promise<readonly ObjectPreview[]> {
  const grants = await inTurns([...selection.providers, ...selection.issuers], (object) => judge(world, object));
  const begun: Begun[] = [];
  // One after another: of two that want the same the first has it, whoever answers sooner.
  for (const domain of selection.domains) begun.push(await begin(world, domain));
  const own = begun.flatMap((one) => ('own' in one && one.own !== undefined ? [one.own] : []));
  const listed = new Set(selection.exchangers.map(labelOf));
  const exchangers = [...selection.exchangers, ...own.filter((one) => !listed.has(labelOf(one)))];
  const claimed: Claimed[] = [];
  for (const exchanger of exchangers) claimed.push(await claim(world, exchanger));
  const looks = await inTurns(claimed, (one) => previewExchanger(world, one));
  const domains = await inTurns(begun, (one) => previewDomain(world, one));
  return [...grants, ...looks, ...domains];
}

/** Runs them side by side, a few at a time; the results are in the order of `all`. */
async function inTurns<T, R>(all: readonly T[], run: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let at = 0; at < all.length; at += atOnce)
    results.push(...(await Promise.all(all.slice(at, at + atOnce).map(run))));
  return results;
}

async function judge(world: PreviewWorld, object: DNSProvider | CertificateIssuer): Promise<ObjectPreview> {
  try {
    checkSpec(object);
    const well = await wellOf(world, object);
    return { ...headOf(object), ...quietPreview, conditions: summarise([], undefined, well) };
  } catch (error) {
    return failed(object, error);
  }
}

async function wellOf(world: PreviewWorld, object: DNSProvider | CertificateIssuer): Promise<string> {
  if (object.kind === 'CertificateIssuer') {
    await world.issuerOf(object.metadata.name);
    return 'its spec is right; the CA was not asked';
  }
  const { well, failure } = await proveProvider(world, object);
  if (failure !== undefined) throw failure;
  return well;
}

type Failed = { readonly object: Any; readonly error: unknown };
type Leaving = { readonly leaves: MailDomain | MailExchanger };

type Begun =
  | Failed
  | Leaving
  | (GrantedDomain & {
      readonly domainObject: MailDomain;
      readonly stored: RememberedDomain;
      readonly own: MailExchanger | undefined;
      /** What is done to objects before anything else. */
      readonly first: readonly Step[];
    });

/** As far as the claim and the exchanger of its own, which is made in memory. */
async function begin(world: PreviewWorld, object: MailDomain): Promise<Begun> {
  try {
    checkSpec(object);
    if (object.metadata.deletionTimestamp !== undefined) return { leaves: object };
    const stored = await loadDomain(world, object, 0);
    const granted = await grantDomain(world, object, stored);
    await claimDomain(world, object, granted.domain, stored);
    const returns = takenBack(world, ({ domain }) => domain === granted.domain);
    const { own, made } = ownOf(world, object);
    return { ...granted, domainObject: object, stored, own, first: [...returns, ...made] };
  } catch (error) {
    return { object, error };
  }
}

/** A retirement that ends because its object has come back. */
const takenBack = (world: PreviewWorld, isOf: (spec: Retirement['spec']) => boolean): readonly Step[] =>
  world.cache.retirements().flatMap(({ spec, metadata }): readonly Step[] => {
    const what = `Retirement ${metadata.namespace ?? ''}/${metadata.name} ends, and what it has not withdrawn yet stays`;
    return isOf(spec) ? [{ action: 'object', what, why: 'the object has come back' }] : [];
  });

function ownOf(
  world: PreviewWorld,
  object: MailDomain,
): { readonly own: MailExchanger | undefined; readonly made: readonly Step[] } {
  const { namespace = '', name } = object.metadata;
  const found = world.cache.exchanger(namespace, name);
  const existing = found && asOwnedAnew(object, found);
  const own = ownExchanger(object, existing);
  if (own === undefined || own.stands) return { own: own?.exchanger, made: [] };
  const { metadata, spec } = own.exchanger;
  const generation = (existing?.metadata.generation ?? 0) + 1;
  const exchanger: MailExchanger = {
    ...existing,
    ...own.exchanger,
    metadata: { uid: `of ${namespace}/${name}`, ...existing?.metadata, ...metadata, generation },
    // Other fields of it are left to whoever wrote them.
    spec: { ...existing?.spec, ...spec },
  };
  world.cache.put(exchanger);
  const what = `${labelOf(exchanger)} is ${existing === undefined ? 'made' : 'changed'}`;
  return { own: exchanger, made: [{ action: 'object', what, why: 'spec.mx asks for one of its own' }] };
}

type Claimed =
  | Failed
  | Leaving
  | {
      readonly exchanger: MailExchanger;
      readonly desired: Awaited<ReturnType<typeof wishExchanger>>;
      readonly stored: Awaited<ReturnType<typeof claimMarked>>;
      readonly first: readonly Step[];
    };

async function claim(world: PreviewWorld, exchanger: MailExchanger): Promise<Claimed> {
  try {
    checkSpec(exchanger);
    if (exchanger.metadata.deletionTimestamp !== undefined) return { leaves: exchanger };
    const remembered = await world.store.load('exchanger', identityOfExchanger(exchanger));
    const desired = await wishExchanger(world, exchanger, remembered);
    await claimHosts(world, exchanger, desired);
    const { namespace, name } = exchanger.metadata;
    const first = takenBack(
      world,
      (spec) => spec.what === 'Exchanger' && spec.namespace === namespace && spec.name === name,
    );
    return { exchanger, desired, stored: await claimMarked(world, exchanger, remembered), first };
  } catch (error) {
    return { object: exchanger, error };
  }
}

const after = <T extends { readonly changes: readonly Step[] }>(first: readonly Step[], planned: T): T => ({
  ...planned,
  changes: [...first, ...planned.changes],
});

async function previewExchanger(world: PreviewWorld, claimed: Claimed): Promise<ObjectPreview> {
  if ('error' in claimed) return failed(claimed.object, claimed.error);
  if ('leaves' in claimed) return leaving(claimed.leaves);
  const { exchanger, desired, stored, first } = claimed;
  try {
    const now = world.clock.now();
    const look = await lookAtExchanger(world, exchanger, desired, stored, askedAt(exchanger, now));
    const { status, conditions } = look.report(undefined);
    const { generation = 1 } = exchanger.metadata;
    // Domains go by what was just seen, as they would by the status.
    world.cache.put({
      ...exchanger,
      status: { ...status, observedGeneration: generation, conditions: setConditions([], conditions, now, generation) },
    });
    const planned = guarded(world, exchanger, look.plan, exchangerSteps(desired, look));
    return { ...headOf(exchanger), ...after(first, planned) };
  } catch (error) {
    return failed(exchanger, error);
  }
}

async function previewDomain(world: PreviewWorld, begun: Begun): Promise<ObjectPreview> {
  if ('error' in begun) return failed(begun.object, begun.error);
  if ('leaves' in begun) return leaving(begun.leaves);
  const { domainObject, stored, domain, grant, own: made, first } = begun;
  try {
    const { namespace = '', name } = domainObject.metadata;
    const own = made && (world.cache.exchanger(namespace, name) ?? made);
    const wished = wishDomain(world, domainObject, { domain, grant, own }, stored);
    const look = await lookAtDomain(world, domainObject, wished, stored, askedAt(domainObject, world.clock.now()));
    const planned = guarded(world, domainObject, look.plan, domainSteps(wished, look));
    return { ...headOf(domainObject), ...after(first, planned) };
  } catch (error) {
    return failed(domainObject, error);
  }
}
