import type { Retirement, RetirementSpec } from '../api/types.ts';
import { reasonOf, validate } from '../api/validate.ts';
import { applyChanges } from '../apply/apply.ts';
import type { Loaded } from '../apply/store.ts';
import { MailsealError } from '../errors.ts';
import { type Looked, observeDomainRetirement, observeRemoval } from '../observe/retirement.ts';
import { planDomainRetirement, planExchangerRetirement, type RetirementPlan } from '../plan/retirement.ts';
import type { State } from '../plan/state.ts';
import type { Trouble } from '../status/findings.ts';
import { retirementFindings, retirementStatus } from '../status/retirement.ts';
import type { Result, World } from '../world.ts';
import { carryOut, labelOf, reconcile, troubleOf } from './common.ts';
import { claimsOf, giveUp, heirOf } from './givenup.ts';

/** What stands in the way is looked at again after this time: it waits for a human, mostly. */
const troubledMs = 60_000;

/**
 * One look at a Retirement: validate → observe → plan → apply → status. What is desired is the end of everything; the
 * way there lies in the durable state that the deleted object left. It may be ended at any point.
 */
export async function reconcileRetirement(world: World, name: string): Promise<Result> {
  const retirement = world.cache.retirement(name);
  if (retirement === undefined) {
    const removed = world.cache.removedRetirement(name);
    if (removed !== undefined) await giveUp(world, removed);
    return {};
  }
  return reconcile(world, retirement, { look: () => look(world, retirement) });
}

async function look(world: World, retirement: Retirement): Promise<Result> {
  const { spec } = retirement;
  const problems = validate('Retirement', retirement);
  if (problems.length > 0) {
    const message = problems.map((problem) => problem.message).join('; ');
    throw new MailsealError(reasonOf(problems) ?? 'InvalidSpec', message, { kind: 'Stalled' });
  }
  const stored = await load(world, spec);
  if (stored === undefined && !(await isServed(world, spec))) return finish(world, retirement);
  if (!(await holdsClaims(world, retirement))) return finish(world, retirement);
  if (stored === undefined) {
    const message = `the policy of ${spec.domain ?? ''} is served, but its durable state is lost: restore it from a backup`;
    throw new MailsealError('StateUnreadable', message, { kind: 'Stalled' });
  }
  const { plan, failures } = await plans(world, retirement, stored.state);
  if (plan.phase === 'Done') {
    await applyChanges(world, { owner: labelOf(retirement), resourceVersion: stored.resourceVersion }, plan.changes);
    return finish(world, retirement);
  }
  const [failure] = failures;
  const obstacle = failure === undefined ? undefined : troubleOf(failure);
  return carryOut(world, retirement, {
    changes: plan.changes,
    waits: obstacle === undefined ? plan.waits : [{ why: obstacle.message, forMs: troubledMs }, ...plan.waits],
    resourceVersion: stored.resourceVersion,
    report: (trouble) => report(spec, plan, trouble ?? obstacle),
  });
}

const report = (spec: RetirementSpec, plan: RetirementPlan, trouble: Trouble | undefined) => ({
  status: retirementStatus(plan),
  conditions: retirementFindings(spec, plan, trouble),
});

const identityOf = ({ domain, namespace, name }: RetirementSpec): string => domain ?? `${namespace}/${name}`;

function load(world: World, spec: RetirementSpec): Promise<Loaded<State> | undefined> {
  return spec.what === 'Domain'
    ? world.store.load('domain', identityOf(spec))
    : world.store.load('exchanger', identityOf(spec));
}

/** The entry of the policy pods goes before the state does: where it stands without one, the state was lost. */
async function isServed(world: World, { domain }: RetirementSpec): Promise<boolean> {
  return domain !== undefined && (await world.shards.read(`mta-sts.${domain}`)) !== undefined;
}

async function plans(
  world: World,
  retirement: Retirement,
  state: State,
): Promise<{ readonly plan: RetirementPlan; readonly failures: Looked<unknown>['failures'] }> {
  const { namespace } = retirement.spec;
  switch (state.kind) {
    case 'domain': {
      const settling = world.pace.isSettling(labelOf(retirement));
      const { observed, failures } = await observeDomainRetirement(world, state, namespace, settling);
      return { plan: planDomainRetirement(observed, world.clock.now()), failures };
    }
    case 'exchanger': {
      const { observed, failures } = await observeRemoval(world, state, namespace);
      return { plan: planExchangerRetirement(observed, world.clock.now()), failures };
    }
  }
}

/** False: an object has taken a claim back, and goes on from the durable state. */
async function holdsClaims(world: World, retirement: Retirement): Promise<boolean> {
  try {
    for (const [what, name] of claimsOf(retirement)) await world.claims.hold(what, name, heirOf(retirement));
    return true;
  } catch (error) {
    if (error instanceof MailsealError && error.reason === 'Conflict') return false;
    throw error;
  }
}

/** Ends itself: what others wait for first. A version that is newer than the one seen speaks of another deletion. */
async function finish(world: World, retirement: Retirement): Promise<Result> {
  const { apiVersion, kind, metadata } = retirement;
  for (const [what, name] of claimsOf(retirement)) await world.claims.release(what, name, heirOf(retirement));
  const { name, resourceVersion = '' } = metadata;
  await world.kube.remove({ apiVersion, kind, namespace: world.namespace, name }, { resourceVersion });
  world.log.info('retired', { object: labelOf(retirement) });
  world.statusWriter.forget(retirement);
  world.pace.forget(labelOf(retirement));
  return {};
}
