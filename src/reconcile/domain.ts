import { canonical } from '../api/canonical.ts';
import { apiVersion, type MailDomain, type MailExchanger } from '../api/types.ts';
import { reasonOf, validate } from '../api/validate.ts';
import type { Claimant } from '../apply/claims.ts';
import type { Loaded } from '../apply/store.ts';
import { desiredDomain, type DesiredDomain } from '../desired/domain.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { resolveIssuer, resolveZone, type ZoneGrant } from '../desired/references.ts';
import { MailsealError } from '../errors.ts';
import { removeFinalizer } from '../kube/finalizers.ts';
import { observeDomain } from '../observe/domain.ts';
import { type ObservedExchangerRef, planDomain } from '../plan/domain.ts';
import type { DomainState } from '../plan/state.ts';
import { domainFindings, domainStatus } from '../status/domain.ts';
import { readinessOf } from '../status/readiness.ts';
import type { Result, World } from '../world.ts';
import { carryOut, finalizer, labelOf, reconcile } from './common.ts';

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
  const domain = checkedName(mailDomain);
  const stored = await world.store.load('domain', domain);
  const grant = grantOf(world, mailDomain, domain, stored);
  // Only who has been given the zone may hold its names: anyone else could keep them from their owner.
  await world.claims.hold('domain', domain, claimantOf(mailDomain));
  // The cache shows it in a moment, and that brings us back.
  if ((await ensureExchanger(world, mailDomain)) === 'Written') return { requeueAfterMs: 1000 };
  const { desired, exchangers } = desire(world, mailDomain, domain, grant, stored);
  const observed = await observeDomain(world, desired, stored, {
    exchangers,
    providerRef: mailDomain.spec.dnsProviderRef?.name,
    settling: world.pace.isSettling(labelOf(mailDomain)),
  });
  const plan = planDomain(desired, observed, world.clock.now());
  if (plan === undefined) throw new MailsealError('Waiting', 'there is nothing to plan from yet');
  return carryOut(world, mailDomain, {
    ...plan,
    resourceVersion: stored?.resourceVersion,
    report: (trouble) => ({
      status: domainStatus(desired, plan),
      conditions: domainFindings(desired, observed, plan, trouble),
    }),
  });
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
function grantOf(world: World, { spec, metadata }: MailDomain, domain: string, stored: Remembered): ZoneGrant {
  const grant = resolveZone(world.cache.providers(), {
    name: domain,
    namespace: metadata.namespace ?? '',
    ref: spec.dnsProviderRef?.name,
    remembered: stored?.state.applied[0]?.provider,
  });
  if (!grant.ok) throw stall(grant.reason, grant.message);
  return grant.value;
}

interface Desire {
  readonly desired: DesiredDomain;
  readonly exchangers: readonly ObservedExchangerRef[];
}

/** Who issues the policy host's certificate. @throws MailsealError with the reference that leads nowhere. */
function issuerOf(world: World, { spec }: MailDomain, domain: string, stored: Remembered): string {
  const ref = spec.mtaSts?.issuerRef?.name ?? spec.mx?.certificate?.issuerRef?.name;
  const issuer = resolveIssuer(world.cache.issuers(), { ref, remembered: stored?.state.issuer });
  if (!issuer.ok) throw stall(issuer.reason, issuer.message);
  const { name } = issuer.value.metadata;
  if (issuer.value.spec.selfSigned === undefined) return name;
  throw stall(
    'IssuerNotFound',
    `CertificateIssuer ${name} signs for itself, and no sender would trust it for mta-sts.${domain}: name an acme issuer in spec.mtaSts.issuerRef`,
  );
}

/** @throws MailsealError with the reference that leads nowhere. */
function desire(world: World, mailDomain: MailDomain, domain: string, grant: ZoneGrant, stored: Remembered): Desire {
  const namespace = mailDomain.metadata.namespace ?? '';
  const found = refsOf(mailDomain).map((reference) => lookUp(world, namespace, reference));
  const hosts = found.flatMap((exchanger) => canonicalNames(exchanger.spec.hosts));
  const resolved = { domain, grant, issuer: issuerOf(world, mailDomain, domain, stored), hosts };
  return { desired: desiredDomain(mailDomain, resolved), exchangers: found.map(readinessOf) };
}

interface ExchangerRef {
  readonly name: string;
  readonly namespace: string;
}

function refsOf({ spec, metadata }: MailDomain): readonly ExchangerRef[] {
  const own = metadata.namespace ?? '';
  if (spec.exchangerRefs === undefined) return [{ name: metadata.name, namespace: own }];
  return spec.exchangerRefs.map(({ name, namespace }) => ({ name, namespace: namespace ?? own }));
}

function lookUp(world: World, from: string, { name, namespace }: ExchangerRef): MailExchanger {
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

/** A domain that lists its hosts itself has an exchanger of its own name, which follows what it says. */
async function ensureExchanger(world: World, mailDomain: MailDomain): Promise<'Standing' | 'Written'> {
  const { mx, dnsProviderRef, suspend } = mailDomain.spec;
  if (mx === undefined) return 'Standing';
  const { name, namespace = '', uid = '' } = mailDomain.metadata;
  const spec: MailExchanger['spec'] = {
    hosts: mx.hosts,
    ...(mx.certificate === undefined ? {} : { certificate: mx.certificate }),
    ...(mx.dane === undefined ? {} : { dane: mx.dane }),
    ...(dnsProviderRef === undefined ? {} : { dnsProviderRef }),
    ...(suspend === undefined ? {} : { suspend }),
  };
  const existing = world.cache.exchanger(namespace, name);
  const owned = existing?.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
  if (existing !== undefined && !owned) {
    throw stall(
      'Conflict',
      `spec.mx needs a MailExchanger named ${name} of its own, but another one has that name: refer to it in spec.exchangerRefs, or rename one of them`,
    );
  }
  if (existing !== undefined && canonical(existing.spec) === canonical(spec)) return 'Standing';
  await world.kube.apply<MailExchanger>(
    {
      apiVersion,
      kind: 'MailExchanger',
      metadata: {
        name,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'mailseal' },
        finalizers: existing === undefined ? [finalizer] : (existing.metadata.finalizers ?? []),
        ownerReferences: [{ apiVersion, kind: 'MailDomain', name: mailDomain.metadata.name, uid, controller: true }],
      },
      spec,
    },
    { fieldManager: 'mailseal/exchanger' },
  );
  return 'Written';
}

/**
 * Deletion: the domain is free to be claimed by another object; policy, records, key and certificate stay as they are
 * and go on being served, so that no sender loses mail.
 */
async function end(world: World, mailDomain: MailDomain): Promise<void> {
  const [domain] = canonicalNames([mailDomain.spec.domain]);
  if (domain !== undefined) await world.claims.release('domain', domain, claimantOf(mailDomain));
  await removeFinalizer(world.kube, mailDomain, finalizer);
}
