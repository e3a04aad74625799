/** Brings MailDomains into their states, deletes them, and looks at what that took and left. */
import { readFileSync } from 'node:fs';
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type MailDomain, type Retirement } from '../../src/api/types.ts';
import { hashedName } from '../../src/apply/store.ts';
import { messageOf } from '../../src/errors.ts';
import { ask } from '../lab/dns-ask.ts';
import { places } from '../lab/lab.ts';
import { waitFor } from '../lab/process.ts';
import { apply, domainOf, type Ground, mailDomain, operatorNamespace, startGround, tenant } from './ground.ts';
import { grantAll, type State, states } from './states.ts';

/** What is promised, in milliseconds. */
export const boundMs = 60_000;
/** For what is only waited for: a machine may have other things to do. */
const patienceMs = 120_000;

export interface Fate {
  readonly label: string;
  readonly words: string;
  /** Until the object and the exchanger that was made for it had gone. */
  readonly seconds: number | undefined;
  readonly problem: string | undefined;
}

/** Those of a quick run, or those whose words begin so; throws where there are none. */
export function chosenStates({
  quick = false,
  only,
}: {
  readonly quick?: boolean;
  readonly only?: string | undefined;
}): readonly State[] {
  const found = states.filter((state) => (!quick || state.quick === true) && state.words.startsWith(only ?? ''));
  if (found.length > 0) return found;
  const known = states.filter((state) => !quick || state.quick === true).map(({ words }) => `\n  ${words}`);
  throw new Error(`there is no state whose words begin with "${only}"; there are:${known.join('')}`);
}

/** A ground with a domain for each state, and one more for each of `others`; the operator runs. */
export async function startStates(dir: string, states: readonly State[], others: readonly string[]): Promise<Ground> {
  const ground = await startGround(dir, [...states.map(({ label }) => label), 'shared', ...others], ['tarpit']);
  try {
    await grantAll(ground);
    await apply(ground, mailDomain('shared'));
    await ground.startOperator();
    await announced(ground, 'shared');
    await Promise.all(states.map(({ label, spec }) => apply(ground, madeOf(label, spec))));
    return ground;
  } catch (error) {
    await ground.stop();
    throw error;
  }
}

/** One that refers to exchangers has none of its own. */
function madeOf(label: string, spec: State['spec']): MailDomain {
  const made = mailDomain(label, spec);
  if (spec?.exchangerRefs === undefined) return made;
  const { mx: _, ...rest } = made.spec;
  return { ...made, spec: rest };
}

export const domainCalled = ({ kube }: Ground, name: string): Promise<MailDomain | undefined> =>
  kube.get<MailDomain>({ apiVersion, kind: 'MailDomain', namespace: tenant, name });

/** That of a domain. */
export const retirementOf = ({ kube }: Ground, label: string): Promise<Retirement | undefined> => {
  const name = hashedName('domain', domainOf(label));
  return kube.get<Retirement>({ apiVersion, kind: 'Retirement', namespace: operatorNamespace, name });
};

/** The TXT records that announce the policy, as the primary shows them. */
export async function announcement(label: string): Promise<readonly string[]> {
  const { answers } = await ask({ server: places.primary.v4, name: `_mta-sts.${domainOf(label)}`, type: 'TXT' });
  return answers.flatMap((answer) => (answer.type === 'TXT' ? [[answer.data].flat().join('')] : []));
}

export const announced = (ground: Ground, label: string): Promise<boolean> =>
  waitFor(`the policy of ${label} is announced`, async () => (await announcement(label)).length > 0, {
    timeoutMs: patienceMs,
    everyMs: 300,
    part: ground.operator(),
  });

async function hasReached(ground: Ground, { label, reaches }: State): Promise<boolean> {
  if (reaches === undefined) return true;
  if (reaches === 'Announced') return (await announcement(label)).length > 0;
  const conditions = (await domainCalled(ground, label))?.status?.conditions;
  const reason = conditionOf(conditions, 'Stalled')?.reason ?? conditionOf(conditions, 'Ready')?.reason;
  return reason !== undefined && reaches.includes(reason);
}

/** Deletes it as kubectl does; seconds until it and its exchanger had gone. */
export async function deletion(ground: Ground, name: string): Promise<number> {
  const { kube } = ground;
  const began = performance.now();
  await kube.remove({ apiVersion, kind: 'MailDomain', namespace: tenant, name });
  const gone = async (): Promise<boolean> => {
    const exchanger = await kube.get({ apiVersion, kind: 'MailExchanger', namespace: tenant, name });
    return exchanger === undefined && (await domainCalled(ground, name)) === undefined;
  };
  await waitFor(`${name} has gone`, gone, { timeoutMs: patienceMs, everyMs: 200 });
  return (performance.now() - began) / 1000;
}

async function hasLeft(ground: Ground, { label, leaves }: State): Promise<boolean> {
  const retirement = await retirementOf(ground, label);
  const { conditions } = retirement?.status ?? {};
  switch (leaves) {
    case 'Nothing':
      return retirement === undefined;
    case 'Held':
      return conditionOf(conditions, 'Ready')?.reason === 'PromiseHeld';
    case 'Stalled':
      return conditionOf(conditions, 'Stalled') !== undefined;
  }
}

async function play(ground: Ground, state: State): Promise<Fate> {
  const { label, words, leaves } = state;
  let seconds: number | undefined;
  try {
    const slowly = { timeoutMs: patienceMs, everyMs: 300 };
    await waitFor('it never came into this state', () => hasReached(ground, state), slowly);
    await state.before?.(ground);
    try {
      seconds = await deletion(ground, label);
    } finally {
      await state.after?.(ground);
    }
    await waitFor(`what it leaves is not ${leaves}`, () => hasLeft(ground, state), slowly);
    const problem = seconds * 1000 > boundMs ? `it took ${seconds.toFixed(0)} s` : undefined;
    return { label, words, seconds, problem };
  } catch (error) {
    return { label, words, seconds, problem: messageOf(error) };
  }
}

/** All states at once, then those that everybody suffers from, one after another. */
export async function playStates(ground: Ground, states: readonly State[]): Promise<readonly Fate[]> {
  const alone = states.filter(({ after }) => after !== undefined);
  const together = states.filter(({ after }) => after === undefined);
  const fates = await Promise.all(together.map((state) => play(ground, state)));
  for (const state of alone) fates.push(await play(ground, state));
  return fates;
}

/** What the operator itself says to be wrong with it. */
export const unexpected = (ground: Ground): readonly string[] =>
  readFileSync(ground.operator().log, 'utf8')
    .split('\n')
    .filter((line) => /nobody expected|InternalError/u.test(line));
