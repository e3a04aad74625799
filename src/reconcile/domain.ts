import type { MailDomain, MailExchanger } from '../api/types.ts';
import { reasonOf, validate } from '../api/validate.ts';
import type { Claimant } from '../apply/claims.ts';
import type { Loaded } from '../apply/store.ts';
import { adopted } from '../desired/adopt.ts';
import { type DesiredDomain, desiredDomain } from '../desired/domain.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { resolveIssuer } from '../desired/references.ts';
import type { ZoneGrant } from '../desired/zones.ts';
import { MailsealError } from '../errors.ts';
import { removeFinalizer } from '../kube/finalizers.ts';
import { isMoving, observeDomain } from '../observe/domain.ts';
import { findZone } from '../observe/zone.ts';
import { isLast } from '../plan/change.ts';
import { planDomain } from '../plan/domain.ts';
import type { DomainState } from '../plan/state.ts';
import { domainFindings, domainStatus } from '../status/domain.ts';
import { readinessOf } from '../status/readiness.ts';
import type { Result, World } from '../world.ts';
import { carryOut, finalizer, labelOf, reconcile, unresolved } from './common.ts';
import { holdClaim } from './givenup.ts';
import { endObject, type Estate, takeBack } from './deletion.ts';
import { askedAt } from './pace.ts';
import { renewAsStored } from './renewal.ts';
import { renewedEntry } from '../plan/serving.ts';
import { ensureExchanger } from './own-exchanger.ts';
import { rightfulOfDomain } from './rightful.ts';

const stall = (reason: MailsealError['reason'], message: string): MailsealError =>
  new MailsealError(reason, message, { kind: 'Stalled' });

/**
 * One look at a MailDomain: validate → desired → observe → plan → apply → status. It may be ended at any point; the
 * next look goes on from what it finds.
 */
export async function reconcileDomain(world: World, namespace: string, name: string): Promise<Result> {
  const mailDomain = world.cache.domain(namespace, name);
  if (mailDomain === undefined) return {};
  return reconcile(world, mailDomain, { end: () => end(world, mailDomain), look: () => look(world, mailDomain) });
}

async function look(world: World, mailDomain: MailDomain): Promise<Result> {
  const [domain] = canonicalNames([mailDomain.spec.domain]);
  const asked = askedAt(mailDomain, world.clock.now());
  const stored = domain === undefined ? undefined : await world.store.load('domain', domain, asked);
  const { desired, exchangers } = await entitled(world, mailDomain, stored);
  const observed = await observeDomain(world, desired, stored, {
    exchangers: exchangers.map(readinessOf),
    providerRef: mailDomain.spec.dnsProviderRef?.name,
    settling: world.pace.isSettling(labelOf(mailDomain)),
    askedAt: asked,
  });
  const plan = planDomain(desired, observed, world.clock.now());
  if (plan === undefined) throw new MailsealError('Waiting', 'there is nothing to plan from yet');
  return carryOut(world, mailDomain, {
    ...plan,
    done: plan.waits.length === 0 && !isMoving(plan.state) && plan.changes.every(isLast),
    resourceVersion: stored?.resourceVersion,
    confirm: (believedMs) => claim(world, mailDomain, desired.domain, stored, believedMs),
    report: (trouble) => ({
      status: domainStatus(desired, plan),
      conditions: domainFindings(desired, observed, plan, trouble),
    }),
  });
}

interface Entitled {
  readonly desired: DesiredDomain;
  readonly exchangers: readonly MailExchanger[];
}

/** What is desired and ours to do; where it is not, what is stored for this object is renewed all the same. */
async function entitled(world: World, mailDomain: MailDomain, stored: Remembered): Promise<Entitled> {
  try {
    return await entitle(world, mailDomain, stored);
  } catch (error) {
    const { name, namespace = '' } = mailDomain.metadata;
    const mine = stored?.state.name === name && stored.state.namespace === namespace ? stored : undefined;
    await renewAsStored(world, mine, {
      owner: labelOf(mailDomain),
      namespace,
      providerRef: mailDomain.spec.dnsProviderRef?.name,
      install: async (state) => renewedEntry(state, await world.shards.read(`mta-sts.${state.domain}`)),
    });
    throw error;
  }
}

async function entitle(world: World, mailDomain: MailDomain, stored: Remembered): Promise<Entitled> {
  const domain = checkedName(mailDomain);
  const grant = await grantOf(world, mailDomain, domain, stored);
  // Only who has been given the zone may hold its names: anyone else could keep them from their owner.
  await claim(world, mailDomain, domain, stored);
  await takeBack(world, estateOf(domain));
  const own = await ensureExchanger(world, mailDomain);
  const issuer = issuerOf(world, mailDomain, domain, stored);
  const exchangers = own === undefined ? lookUpAll(world, mailDomain) : [own];
  const hosts = exchangers.flatMap((exchanger) => canonicalNames(exchanger.spec.hosts));
  const adopt = adopted(mailDomain.metadata.annotations);
  if (!adopt.ok) throw stall(adopt.reason, adopt.message);
  return { desired: desiredDomain(mailDomain, { domain, grant, issuer, hosts, adopt: adopt.value }), exchangers };
}

async function claim(
  world: World,
  mailDomain: MailDomain,
  domain: string,
  stored: Remembered,
  believedMs?: number,
): Promise<void> {
  const rightful = async () => rightfulOfDomain(world, mailDomain, domain, stored?.state);
  await holdClaim(world, 'domain', domain, claimantOf(mailDomain), rightful, believedMs);
}

const claimantOf = ({ metadata }: MailDomain): Claimant => ({
  kind: 'MailDomain',
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});

/** The domain as A-labels. @throws MailsealError with everything that is wrong with the spec. */
function checkedName(mailDomain: MailDomain): string {
  const problems = validate('MailDomain', mailDomain);
  const [domain] = canonicalNames([mailDomain.spec.domain]);
  if (problems.length === 0 && domain !== undefined) return domain;
  throw stall(reasonOf(problems) ?? 'InvalidDomain', problems.map((problem) => problem.message).join('; '));
}

type Remembered = Loaded<DomainState> | undefined;

/** The zone that carries the domain's records. @throws MailsealError with the reference that leads nowhere. */
async function grantOf(
  world: World,
  { spec, metadata }: MailDomain,
  domain: string,
  stored: Remembered,
): Promise<ZoneGrant> {
  const grant = await findZone(world, world.cache.providers(), {
    name: domain,
    namespace: metadata.namespace ?? '',
    ref: spec.dnsProviderRef?.name,
    remembered: stored?.state.applied[0]?.provider,
  });
  if (!grant.ok) throw unresolved(grant);
  return grant.value;
}

/** Who issues the policy host's certificate. @throws MailsealError with the reference that leads nowhere. */
function issuerOf(world: World, { spec }: MailDomain, domain: string, stored: Remembered): string {
  const ref = spec.mtaSts?.issuerRef?.name ?? spec.mx?.certificate?.issuerRef?.name;
  const issuer = resolveIssuer(world.cache.issuers(), { ref, remembered: stored?.state.issuer });
  if (!issuer.ok) throw stall(issuer.reason, issuer.message);
  const { name } = issuer.value.metadata;
  if (issuer.value.spec.selfSigned === undefined) return name;
  throw stall(
    'IssuerNotTrusted',
    `CertificateIssuer ${name} signs for itself, and no sender would trust it for mta-sts.${domain}: name an acme issuer in spec.mtaSts.issuerRef`,
  );
}

/** The exchangers that the domain refers to. */
function lookUpAll(world: World, { spec, metadata }: MailDomain): readonly MailExchanger[] {
  const from = metadata.namespace ?? '';
  return (spec.exchangerRefs ?? []).map(({ name, namespace }) =>
    lookUp(world, from, { name, namespace: namespace ?? from }),
  );
}

function lookUp(world: World, from: string, at: { readonly name: string; readonly namespace: string }): MailExchanger {
  const { name, namespace } = at;
  const exchanger = world.cache.exchanger(namespace, name);
  const allowed = namespace === from || (exchanger?.spec.allowedNamespaces?.names.includes(from) ?? false);
  if (!allowed) {
    const who = `the MailExchanger ${namespace}/${name}`;
    throw stall(
      'ExchangerNotAllowed',
      `${who} does not exist or does not allow namespace ${from}: its owner adds it to spec.allowedNamespaces.names`,
    );
  }
  if (exchanger === undefined)
    throw new MailsealError('ExchangerNotFound', `the MailExchanger ${name} does not exist (yet)`);
  return exchanger;
}

const estateOf = (domain: string): Estate => ({ claims: [['domain', domain]], kind: 'domain', identity: domain });

/** Deletion: the policy is withdrawn by a Retirement, or all stays as it stands. */
async function end(world: World, mailDomain: MailDomain): Promise<void> {
  const [domain] = canonicalNames([mailDomain.spec.domain]);
  if (domain === undefined) await removeFinalizer(world.kube, mailDomain, finalizer);
  else await endObject(world, mailDomain, estateOf(domain));
}
