/** What a MailExchanger asks for, and what would be done about it now. Nothing here writes: `mailseal plan` asks the same. */
import type { WantedCondition } from '../api/conditions.ts';
import { defaults } from '../api/defaults.ts';
import type { MailExchanger, MailExchangerStatus } from '../api/types.ts';
import { reasonOf, validate } from '../api/validate.ts';
import type { Loaded } from '../apply/store.ts';
import { adopted } from '../desired/adopt.ts';
import { canonicalNames, type DesiredExchanger, desiredExchanger } from '../desired/exchanger.ts';
import { desiredRotation } from '../desired/rotation.ts';
import { importProblem, resolveIssuer, sourceProblem } from '../desired/references.ts';
import type { ZoneGrant } from '../desired/zones.ts';
import { MailsealError } from '../errors.ts';
import { observeExchanger } from '../observe/exchanger.ts';
import { findZone } from '../observe/zone.ts';
import { type ExchangerPlan, type ObservedExchanger, planExchanger } from '../plan/exchanger.ts';
import type { ExchangerState } from '../plan/state.ts';
import { exchangerFindings, exchangerStatus } from '../status/exchanger.ts';
import type { Trouble } from '../status/findings.ts';
import type { World } from '../world.ts';
import { labelOf, unresolved } from './common.ts';
import { planOrderable } from './orderable.ts';

export type RememberedExchanger = Loaded<ExchangerState> | undefined;

/**
 * What is wanted, with every reference resolved.
 * @throws MailsealError with everything that is wrong with the spec, or the reference that leads nowhere.
 */
export async function wishExchanger(
  world: Pick<World, 'cache' | 'outside' | 'recents'>,
  exchanger: MailExchanger,
  stored: RememberedExchanger,
): Promise<DesiredExchanger> {
  const problems = validate('MailExchanger', exchanger);
  if (problems.length > 0) {
    const message = problems.map((problem) => problem.message).join('; ');
    throw new MailsealError(reasonOf(problems) ?? 'InvalidSpec', message, { kind: 'Stalled' });
  }
  const { spec } = exchanger;
  const namespace = exchanger.metadata.namespace ?? '';
  const issuer = resolveIssuer(world.cache.issuers(), {
    ref: spec.certificate?.issuerRef?.name,
    remembered: stored?.state.issuer,
  });
  if (!issuer.ok) throw new MailsealError(issuer.reason, issuer.message, { kind: 'Stalled' });
  const unsourced = sourceProblem(issuer.value, spec.certificate?.sourceSecretName);
  if (unsourced !== undefined) throw new MailsealError('InvalidSpec', unsourced, { kind: 'Stalled' });
  const grants = new Map<string, ZoneGrant>();
  for (const host of canonicalNames(spec.hosts)) {
    const remembered = stored?.state.applied.find(({ name }) => name.endsWith(`.${host}`))?.provider;
    const zone = await findZone(world, world.cache.providers(), {
      name: host,
      namespace,
      ref: spec.dnsProviderRef?.name,
      remembered,
      tlsa: spec.dane?.mode !== 'Off',
    });
    if (!zone.ok) throw unresolved(zone);
    grants.set(host, zone.value);
  }
  const adopt = adopted(exchanger.metadata.annotations);
  if (!adopt.ok) throw new MailsealError(adopt.reason, adopt.message, { kind: 'Stalled' });
  const unfit = importProblem(issuer.value, adopt.value.secret);
  if (unfit !== undefined) throw new MailsealError('InvalidSpec', unfit, { kind: 'Stalled' });
  const { keyRotationDays = defaults.certificate.keyRotationDays } = spec.certificate ?? {};
  const rotation = desiredRotation(exchanger.metadata.annotations, keyRotationDays);
  if (!rotation.ok) throw new MailsealError(rotation.reason, rotation.message, { kind: 'Stalled' });
  return desiredExchanger(exchanger, {
    issuer: issuer.value.metadata.name,
    grants,
    adopt: adopt.value.records,
    importFrom: adopt.value.secret,
    rotation: rotation.value,
  });
}

/** What a look found, what it would change, and how the status tells of it. */
export interface ExchangerLook {
  readonly observed: ObservedExchanger;
  readonly plan: ExchangerPlan;
  readonly report: (trouble: Trouble | undefined) => {
    readonly status: Omit<MailExchangerStatus, 'conditions'>;
    readonly conditions: readonly WantedCondition[];
  };
}

/** Observes and plans. `askedAt`: when someone last asked for a fresh look. */
export async function lookAtExchanger(
  world: World,
  exchanger: MailExchanger,
  desired: DesiredExchanger,
  stored: RememberedExchanger,
  askedAt: number,
): Promise<ExchangerLook> {
  const observed = await observeExchanger(world, desired, stored, {
    askedAt,
    providerRef: exchanger.spec.dnsProviderRef?.name,
    settling: world.pace.isSettling(labelOf(exchanger)),
  });
  const now = world.clock.now();
  const plan = await planOrderable(
    world,
    desired.issuer,
    (caa) => planExchanger(desired, { ...observed, certificate: { ...observed.certificate, caa } }, now),
    (planned) => planned?.certificate.asksCaa,
  );
  if (plan === undefined) throw nothingYet(observed);
  return {
    observed,
    plan,
    report: (trouble) => ({
      status: exchangerStatus(desired, observed, plan),
      conditions: exchangerFindings(desired, observed, plan, trouble),
    }),
  };
}

/** Without a key there is nothing to plan from: whoever fills the source is waited for. */
function nothingYet({ source }: ObservedExchanger): MailsealError {
  if (source?.is !== 'Unfit') return new MailsealError('Waiting', 'there is nothing to plan from yet');
  const { reason, message } = source;
  return new MailsealError(reason, message, { kind: reason === 'SourceMissing' ? 'Retry' : 'Stalled' });
}
