/** The steps of a sequence, carried out. */
import { capabilitiesOf } from '../../src/api/capabilities.ts';
import { type MailDomain, type MailExchanger, type RequiredRecord, type Retirement } from '../../src/api/types.ts';
import type { RecordSet } from '../../src/dns/rrset.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { reconcileDomain } from '../../src/reconcile/domain.ts';
import { reconcileExchanger } from '../../src/reconcile/exchanger.ts';
import { reconcileRetirement } from '../../src/reconcile/retirement.ts';
import type { Result } from '../../src/world.ts';
import type { Ground } from './ground.ts';
import { keyOf, zone } from './names.ts';
import type { Operator, Run } from './operator.ts';
import type { Hand, Step } from './steps.ts';
import { put, wish } from './users.ts';

const longestPassMs = 30 * 60_000;

/** The program of an operator; one that died is started anew. */
async function runOf(ground: Ground, operator: Operator): Promise<Run> {
  const known = ground.runs.get(operator.name);
  if (known !== undefined && !known.life.dead) return known;
  const run = await operator.start();
  ground.runs.set(operator.name, run);
  return run;
}

/** One look at all that there is; milliseconds until the next. */
export async function look(ground: Ground, operator: Operator): Promise<number> {
  const run = await runOf(ground, operator);
  const { life, world, watched } = run;
  life.lookedAt = ground.now();
  life.troubles = 0;
  life.listed.clear();
  const results: Result[] = [];
  try {
    results.push(await reconcileDomain(world, 'mail', 'news'));
    results.push(await reconcileExchanger(world, 'mail', 'mx'));
    for (const one of operator.all<Retirement>('Retirement')) watched.set(one.metadata.name, one);
    for (const [name, last] of watched) results.push(await reconcileRetirement(world, name, last));
  } catch (error) {
    if (!life.dead) ground.problems.push(`a look ended with ${String(error)}`);
    return 1000;
  }
  if (life.troubles === 0 && !life.dead) ground.oracle.looked(operator.name, life.listed);
  return Math.min(longestPassMs, ...results.flatMap(({ requeueAfterMs }) => requeueAfterMs ?? []));
}

/** What a hand would make of what stands; undefined where there is nothing for it to do. */
function intended(ground: Ground, hand: Exclude<Hand, { hand: 'Obey' | 'Wildcard' }>): RecordSet | undefined {
  const { name, type } = hand;
  const key = keyOf({ name, type });
  const live = ground.oracle.standing().get(key);
  switch (hand.hand) {
    case 'Set':
      return { name, type, ttl: hand.ttl, values: hand.values };
    case 'Delete':
      return live && { ...live, values: [] };
    case 'PutBack':
      return ground.history.get(key)?.[0];
    case 'Add':
      return live === undefined || live.values.includes(hand.value)
        ? undefined
        : { ...live, values: [...live.values, hand.value] };
    case 'Ttl':
      return live && { ...live, ttl: hand.ttl };
  }
}

const requiredOf = ({ exchanger, mailDomain }: Operator): readonly RequiredRecord[] =>
  [exchanger(), mailDomain()].flatMap((object) => object?.status?.requiredRecords ?? []);

function setsOf(ground: Ground, hand: Hand): readonly RecordSet[] {
  if (hand.hand === 'Obey')
    return requiredOf(ground.first).flatMap(({ name, type, values, seen, ttlSeconds = 300 }) =>
      seen ? [] : [{ name, type, values, ttl: ttlSeconds }],
    );
  if (hand.hand === 'Wildcard') {
    const set = (type: 'A' | 'CNAME', values: readonly string[]): RecordSet => ({
      name: `*.${zone}`,
      type,
      ttl: 300,
      values,
    });
    const others = (['A', 'CNAME'] as const).filter((type) => type !== hand.type).map((type) => set(type, []));
    return hand.type === 'none'
      ? others
      : [...others, set(hand.type, [hand.type === 'A' ? '192.0.2.3' : `mx1.${zone}`])];
  }
  const set = intended(ground, hand);
  return set === undefined ? [] : [set];
}

export async function meddle(ground: Ground, hand: Hand): Promise<void> {
  for (const set of setsOf(ground, hand)) await ground.server.byHand(set);
  const sets = await ground.server.read();
  ground.oracle.byHand(sets);
  ground.sky.changed(sets);
}

const isState = ({ metadata }: KubeObject): boolean => metadata.labels?.['mailseal.dev/state'] !== undefined;
const statesOf = (operator: Operator, of?: string): readonly KubeObject[] =>
  operator
    .all('Secret')
    .filter((one) => isState(one) && (of === undefined || one.metadata.labels?.['mailseal.dev/state'] === of));
const refOf = ({ apiVersion, kind, metadata: { namespace = '', name } }: KubeObject) => ({
  apiVersion,
  kind,
  namespace,
  name,
});

async function putStateBack(ground: Ground, operator: Operator): Promise<void> {
  const { kept } = ground;
  if (kept === undefined) return;
  for (const state of statesOf(operator)) await operator.kube.remove(refOf(state));
  for (const { metadata, ...rest } of kept.states) {
    const { resourceVersion: _, ...older } = metadata;
    await operator.kube.create({ ...rest, metadata: older });
  }
  ground.runs.delete(operator.name);
  kept.back();
}

/** Another program begins to lead while the old one's write is on its way. */
async function newLeader(ground: Ground, fenced: boolean, hand: Hand | undefined): Promise<void> {
  const { first, runs } = ground;
  const old = runs.get(first.name);
  if (hand !== undefined) await meddle(ground, hand);
  runs.set(first.name, await first.start());
  for (let times = 0; times < 2; times += 1) ground.pass(await look(ground, first));
  if (!fenced || old === undefined) return;
  old.end();
  ground.ended.push({ life: old.life, writes: old.life.writes });
}

export async function act(ground: Ground, step: Step): Promise<void> {
  const { first, second, sky, runs } = ground;
  switch (step.do) {
    case 'Look':
      for (let times = 0; times < step.times; times += 1) ground.pass(await look(ground, first));
      return;
    case 'Second':
      if (second === undefined) return;
      for (const made of [first.exchanger(), first.mailDomain()]) {
        if (made === undefined || made.metadata.deletionTimestamp !== undefined) continue;
        const { apiVersion, kind, metadata, spec } = made;
        await put<MailExchanger | MailDomain>(second, {
          apiVersion,
          kind,
          metadata: { name: metadata.name, namespace: 'mail' },
          spec,
        } as MailExchanger);
      }
      ground.oracle.wished(second.name);
      for (let times = 0; times < 3; times += 1) ground.pass(await look(ground, second));
      return;
    case 'Pass':
      return ground.pass(step.ms);
    case 'Wish':
      await wish(first, step.wish);
      return ground.oracle.wished(first.name);
    case 'Hand':
      return meddle(ground, step.hand);
    case 'Meanwhile':
      sky.weather.meanwhile = () => meddle(ground, step.hand);
      return;
    case 'Nag':
      for (let times = 0; times < step.times; times += 1) {
        await meddle(ground, step.hand);
        for (let looks = 0; looks < 3; looks += 1) ground.pass(Math.min(60_000, await look(ground, first)));
      }
      return;
    case 'NewLeader':
      sky.weather.meanwhile = () => newLeader(ground, step.fenced, step.hand);
      return;
    case 'Kill':
      sky.weather.kill = { left: step.write, when: step.when };
      return;
    case 'Fault':
      sky.weather.fault = step.fault;
      return;
    case 'Stale':
      // A server that neither compares nor shows what stands can be written by nobody safely.
      if (!capabilitiesOf[ground.server.type].compareAndSwap) return;
      ground.wasStale = true;
      sky.weather.stale = { sets: ground.oracle.standing(), until: ground.now() + step.ms };
      return;
    case 'Restart':
      runs.delete(first.name);
      return;
    case 'KeepState':
      ground.kept = { states: statesOf(first), back: ground.oracle.copied(first.name) };
      return;
    case 'PutStateBack':
      return putStateBack(ground, first);
    case 'LoseState':
      for (const state of statesOf(first, step.of)) await first.kube.remove(refOf(state));
      runs.delete(first.name);
      return ground.oracle.forgot(first.name);
  }
}
