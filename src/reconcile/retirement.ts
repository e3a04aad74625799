import type { Retirement, RetirementSpec } from '../api/types.ts';
import { reasonOf, validate } from '../api/validate.ts';
import { applyChanges } from '../apply/apply.ts';
import type { Loaded } from '../apply/store.ts';
import { MailsealError } from '../errors.ts';
import { removalHeld } from '../observe/removal-held.ts';
import { type Looked, observeDomainRetirement, observeRemoval } from '../observe/retirement.ts';
import { markedHosts } from '../plan/ownership.ts';
import type { ObservedCaa } from '../plan/caa.ts';
import {
  type ObservedDomainRetirement,
  planDomainRetirement,
  planExchangerRetirement,
  type RetirementPlan,
} from '../plan/retirement.ts';
import type { Change } from '../plan/change.ts';
import type { ExchangerState, State } from '../plan/state.ts';
import type { Trouble } from '../status/findings.ts';
import { retirementFindings, retirementStatus } from '../status/retirement.ts';
import type { Result, World } from '../world.ts';
import { carryOut, labelOf, reconcile, troubleOf } from './common.ts';
import { claimsOf, giveUp, heirOf } from './givenup.ts';
import { rebuilt } from './lost.ts';
import { neededStill } from './needed.ts';
import { planOrderable } from './orderable.ts';
import { askedAt } from './pace.ts';
import { renewAsStored, renewedInstallation } from './renewal.ts';

/** What stands in the way is looked at again after this time: it waits for a human, mostly. */
const troubledMs = 60_000;

/**
 * One look at a Retirement: validate → observe → plan → apply → status. What is desired is the end of everything; the
 * way there lies in the durable state that the deleted object left. It may be ended at any point.
 * @param removed as it was last seen before it went; undefined where it has not been seen to go.
 */
export async function reconcileRetirement(world: World, name: string, removed?: Retirement): Promise<Result> {
  const retirement = world.cache.retirement(name);
  if (retirement === undefined) {
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
  const loaded = await load(world, spec, askedAt(retirement, world.clock.now()));
  // It may have ended a moment ago, and the cache not know it yet: what it held is free, and is not to be taken anew.
  if (loaded === undefined && !(await isThere(world, retirement))) return {};
  if (!(await holdsClaims(world, retirement))) {
    // The object has come back, and will hold what it marks, whether it names it or not.
    return finish(world, retirement, loaded === undefined ? [] : markedHosts(loaded.state.applied));
  }
  const stored = loaded ?? (await loadRebuilt(world, spec));
  if (stored === undefined) return finish(world, retirement);
  const { plan, failures } = await plans(world, retirement, stored);
  if (plan.phase === 'Done') {
    await applyChanges(world, { owner: labelOf(retirement), resourceVersion: stored.resourceVersion }, plan.changes);
    return finish(world, retirement);
  }
  const [failure] = failures;
  const obstacle = failure === undefined ? undefined : troubleOf(failure);
  return carryOut(world, retirement, {
    changes: plan.changes,
    waits: obstacle === undefined ? plan.waits : [{ why: obstacle.message, forMs: troubledMs }, ...plan.waits],
    state: plan.state,
    isRetirement: true,
    resourceVersion: stored.resourceVersion,
    report: (trouble) => report(spec, plan, trouble ?? obstacle),
  });
}

const report = (spec: RetirementSpec, plan: RetirementPlan, trouble: Trouble | undefined) => ({
  status: retirementStatus(plan),
  conditions: retirementFindings(spec, plan, trouble),
});

const identityOf = ({ domain, namespace, name }: RetirementSpec): string => domain ?? `${namespace}/${name}`;

function load(world: World, spec: RetirementSpec, asked: number): Promise<Loaded<State> | undefined> {
  return spec.what === 'Domain'
    ? world.store.load('domain', identityOf(spec), asked)
    : world.store.load('exchanger', identityOf(spec), asked);
}

/**
 * What the DNS still shows of an object whose durable state was lost, stored before anything is withdrawn by it; undefined
 * where all has gone. The state goes last, but for a crash.
 */
async function loadRebuilt(world: World, spec: RetirementSpec): Promise<Loaded<State> | undefined> {
  const state = await rebuilt(world, spec);
  if (state !== undefined) {
    world.log.warn('the durable state is lost, and made anew of what the DNS shows', { object: identityOf(spec) });
    return { state, resourceVersion: await world.store.save(state, identityOf(spec), undefined) };
  }
  const { domain } = spec;
  if (domain === undefined || (await world.shards.read(`mta-sts.${domain}`)) === undefined) return undefined;
  const message = `the policy of ${domain} is served, but its durable state is lost, and its records are not ours or can't be seen: restore it from a backup`;
  throw new MailsealError('StateUnreadable', message, { kind: 'Stalled' });
}

async function plans(
  world: World,
  retirement: Retirement,
  { state, resourceVersion }: Loaded<State>,
): Promise<{ readonly plan: RetirementPlan; readonly failures: Looked<unknown>['failures'] }> {
  const { namespace } = retirement.spec;
  const asked = askedAt(retirement, world.clock.now());
  switch (state.kind) {
    case 'domain': {
      const settling = world.pace.isSettling(labelOf(retirement));
      const request = { namespace, settling, askedAt: asked };
      const { observed, failures } = await observeDomainRetirement(world, state, request);
      const now = world.clock.now();
      const plan = await planOrderable(
        world,
        state.issuer,
        (caa) => planDomainRetirement(withCaa(observed, caa), now),
        (planned) => planned.asksCaa,
      );
      return { plan, failures };
    }
    case 'exchanger': {
      const { observed, failures } = await observeRemoval(world, state, { namespace, askedAt: asked });
      const seen = { ...observed, moving: await removalHeld(world, state.applied) };
      const ending = planExchangerRetirement({ ...seen, neededBy: undefined }, world.clock.now());
      // It reads the memory of many domains: only when nothing else is left to do.
      const asks = state.certificate !== undefined && (state.applied.length === 0 || ending.phase === 'Done');
      const neededBy = asks ? await neededStill(world, retirement.spec, asked) : undefined;
      const plan = neededBy === undefined ? ending : planExchangerRetirement({ ...seen, neededBy }, world.clock.now());
      if (plan.phase === 'Holding' && plan.changes.length === 0)
        await renewAsStored(
          world,
          { state, resourceVersion },
          { owner: labelOf(retirement), namespace, providerRef: undefined, install: (at) => installation(world, at) },
        );
      return { plan, failures };
    }
  }
}

const withCaa = (
  { certificate, ...observed }: ObservedDomainRetirement,
  caa: ObservedCaa | undefined,
): ObservedDomainRetirement => ({ ...observed, certificate: certificate && { ...certificate, caa } });

/** The renewed certificate, for the Secret that the hosts mount, where that is still there. */
async function installation(world: World, state: ExchangerState): Promise<readonly Change[]> {
  const { namespace, name, secretName } = state;
  return secretName === undefined ? [] : renewedInstallation(world, { namespace, name, secretName }, state);
}

async function isThere(world: World, { apiVersion, kind, metadata: { name, uid } }: Retirement): Promise<boolean> {
  const now = await world.kube.get<Retirement>({ apiVersion, kind, namespace: world.namespace, name });
  return now?.metadata.uid === uid;
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
async function finish(world: World, retirement: Retirement, kept: readonly string[] = []): Promise<Result> {
  const { apiVersion, kind, metadata } = retirement;
  for (const [what, name] of claimsOf(retirement)) {
    if (!kept.includes(name)) await world.claims.release(what, name, heirOf(retirement));
  }
  const { name, resourceVersion = '' } = metadata;
  await world.kube.remove({ apiVersion, kind, namespace: world.namespace, name }, { resourceVersion });
  world.log.info('retired', { object: labelOf(retirement) });
  world.statusWriter.forget(retirement);
  world.pace.forget(labelOf(retirement));
  return {};
}
