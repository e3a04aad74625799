/** What a MailDomain asks for, and what would be done about it now. Nothing here writes: `mailseal plan` asks the same. */
import type { WantedCondition } from '../api/conditions.ts';
import type { MailDomain, MailDomainStatus, MailExchanger } from '../api/types.ts';
import { reasonOf, validate } from '../api/validate.ts';
import type { Loaded } from '../apply/store.ts';
import { adopted } from '../desired/adopt.ts';
import { type DesiredDomain, desiredDomain } from '../desired/domain.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { resolveIssuer } from '../desired/references.ts';
import type { ZoneGrant } from '../desired/zones.ts';
import { MailsealError } from '../errors.ts';
import { observeDomain } from '../observe/domain.ts';
import { findZone } from '../observe/zone.ts';
import { type DomainPlan, type ObservedDomain, planDomain } from '../plan/domain.ts';
import type { DomainState } from '../plan/state.ts';
import { domainFindings, domainStatus } from '../status/domain.ts';
import type { Trouble } from '../status/findings.ts';
import { readinessOf } from '../status/readiness.ts';
import type { World } from '../world.ts';
import { labelOf, unresolved } from './common.ts';
import { planOrderable } from './orderable.ts';

export type RememberedDomain = Loaded<DomainState> | undefined;

type Known = Pick<World, 'cache' | 'outside' | 'recents'>;

const stall = (reason: MailsealError['reason'], message: string): MailsealError =>
  new MailsealError(reason, message, { kind: 'Stalled' });

/** What is wanted, and the exchangers that it is wanted for. */
export interface WishedDomain {
  readonly desired: DesiredDomain;
  readonly exchangers: readonly MailExchanger[];
}

/** A domain that its namespace may have, and the zone that carries its records. */
export interface GrantedDomain {
  /** As A-labels. */
  readonly domain: string;
  readonly grant: ZoneGrant;
}

/**
 * The first half: whoever passes may claim the domain.
 * @throws MailsealError with everything that is wrong with the spec, or the reference that leads nowhere.
 */
export async function grantDomain(
  world: Known,
  mailDomain: MailDomain,
  stored: RememberedDomain,
): Promise<GrantedDomain> {
  const domain = checkedName(mailDomain);
  return { domain, grant: await grantOf(world, mailDomain, domain, stored) };
}

/**
 * The second half, with every reference resolved. `own` is the exchanger that belongs to the domain; undefined where it
 * refers to others.
 * @throws MailsealError with the reference that leads nowhere.
 */
export function wishDomain(
  world: Known,
  mailDomain: MailDomain,
  granted: GrantedDomain & { readonly own: MailExchanger | undefined },
  stored: RememberedDomain,
): WishedDomain {
  const { domain, grant, own } = granted;
  const issuer = issuerOfDomain(world, mailDomain, domain, stored);
  const exchangers = own === undefined ? lookUpAll(world, mailDomain) : [own];
  const hosts = exchangers.flatMap((exchanger) => canonicalNames(exchanger.spec.hosts));
  const adopt = adopted(mailDomain.metadata.annotations);
  if (!adopt.ok) throw stall(adopt.reason, adopt.message);
  return {
    desired: desiredDomain(mailDomain, { domain, grant, issuer, hosts, adopt: adopt.value.records }),
    exchangers,
  };
}

/** What a look found, what it would change, and how the status tells of it. */
export interface DomainLook {
  readonly observed: ObservedDomain;
  readonly plan: DomainPlan;
  readonly report: (trouble: Trouble | undefined) => {
    readonly status: Omit<MailDomainStatus, 'conditions'>;
    readonly conditions: readonly WantedCondition[];
  };
}

/** Observes and plans. `askedAt`: when someone last asked for a fresh look. */
export async function lookAtDomain(
  world: World,
  mailDomain: MailDomain,
  { desired, exchangers }: WishedDomain,
  stored: RememberedDomain,
  askedAt: number,
): Promise<DomainLook> {
  const observed = await observeDomain(world, desired, stored, {
    exchangers: exchangers.map(readinessOf),
    providerRef: mailDomain.spec.dnsProviderRef?.name,
    settling: world.pace.isSettling(labelOf(mailDomain)),
    askedAt,
  });
  const now = world.clock.now();
  const plan = await planOrderable(
    world,
    desired.issuer,
    (caa) => planDomain(desired, { ...observed, certificate: { ...observed.certificate, caa } }, now),
    (planned) => planned?.certificate.asksCaa,
  );
  if (plan === undefined) throw new MailsealError('Waiting', 'there is nothing to plan from yet');
  return {
    observed,
    plan,
    report: (trouble) => ({
      status: domainStatus(desired, plan),
      conditions: domainFindings(desired, observed, plan, trouble),
    }),
  };
}

/** The domain as A-labels. @throws MailsealError with everything that is wrong with the spec. */
function checkedName(mailDomain: MailDomain): string {
  const problems = validate('MailDomain', mailDomain);
  const [domain] = canonicalNames([mailDomain.spec.domain]);
  if (problems.length === 0 && domain !== undefined) return domain;
  throw stall(reasonOf(problems) ?? 'InvalidDomain', problems.map((problem) => problem.message).join('; '));
}

/** The zone that carries the domain's records. @throws MailsealError with the reference that leads nowhere. */
async function grantOf(
  world: Known,
  { spec, metadata }: MailDomain,
  domain: string,
  stored: RememberedDomain,
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
export function issuerOfDomain(
  world: Pick<World, 'cache'>,
  { spec }: MailDomain,
  domain: string,
  stored: RememberedDomain,
): string {
  const ref = spec.mtaSts?.issuerRef?.name ?? spec.mx?.certificate?.issuerRef?.name;
  const issuer = resolveIssuer(world.cache.issuers(), { ref, remembered: stored?.state.issuer });
  if (!issuer.ok) throw stall(issuer.reason, issuer.message);
  const { name } = issuer.value.metadata;
  const { selfSigned, external } = issuer.value.spec;
  if (selfSigned === undefined && external === undefined) return name;
  const why =
    external === undefined
      ? `signs for itself, and no sender would trust it for mta-sts.${domain}`
      : `takes certificates of MX hosts from Secrets, and there is none for mta-sts.${domain}`;
  throw stall('IssuerNotTrusted', `CertificateIssuer ${name} ${why}: name an acme issuer in spec.mtaSts.issuerRef`);
}

/** The exchangers that the domain refers to. */
function lookUpAll(world: Known, { spec, metadata }: MailDomain): readonly MailExchanger[] {
  const from = metadata.namespace ?? '';
  return (spec.exchangerRefs ?? []).map(({ name, namespace }) =>
    lookUp(world, from, { name, namespace: namespace ?? from }),
  );
}

function lookUp(world: Known, from: string, at: { readonly name: string; readonly namespace: string }): MailExchanger {
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
