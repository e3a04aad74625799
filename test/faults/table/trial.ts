/** Rows that are courses of events: one trouble after another, each with what the operator says of it, and the end. */
import { conditionOf } from '../../../src/api/conditions.ts';
import type { Reason } from '../../../src/api/reasons.ts';
import { apiVersion, type ConditionType, type MailDomain, type MailExchanger } from '../../../src/api/types.ts';
import { messageOf } from '../../../src/errors.ts';
import type { Ref } from '../../../src/kube/types.ts';
import { waitFor } from '../../lab/process.ts';
import { tenant } from '../cluster.ts';
import { applyDomain, objectName } from '../objects.ts';
import type { Fault, Stage } from './fault.ts';

/** Words of a condition that a user is to find, sooner or later, while a trouble lasts. */
export interface Saying {
  /** `MailDomain` when absent. */
  readonly kind?: 'MailDomain' | 'MailExchanger';
  /** `Ready` when absent. */
  readonly type?: ConditionType;
  readonly reason: Reason;
  readonly words: RegExp;
}

export interface Trouble {
  readonly make: (stage: Stage) => unknown;
  readonly says?: readonly Saying[];
  /**
   * What must be so while it lasts; resolves with what is not. Absent, and with nothing to be said: both objects were
   * looked at while it lasted, where they were Ready before it.
   */
  readonly meanwhile?: (stage: Stage) => Promise<readonly string[]>;
  /** Ends it; the ways of the lane are cleared in any case. */
  readonly end?: (stage: Stage) => unknown;
}

export interface Trial extends Omit<Fault, 'play'> {
  /** Whether the domain is new when the first trouble comes, or was Ready. */
  readonly when: 'new' | 'ready';
  readonly troubles: readonly Trouble[];
  /** It goes on for ever: all must be well all the same. */
  readonly lasting?: boolean;
  /** What differs from an undisturbed run for a reason. */
  readonly tolerates?: RegExp;
}

/** What every trial must come to in the end. */
export const asUndisturbed = 'Ready, with the zone, the keys and the orders of an undisturbed run';

const saysMs = 90_000;
const pokeMs = 3000;
/** What waits for a human is looked at every five minutes at least; the rest is for the way to Ready. */
const recoveryMs = 420_000;

/**
 * Every trouble in its turn, and then Ready, with the zone, the keys and the orders of an undisturbed run: without
 * anybody who asks for a look.
 */
export function trial({ when, troubles, lasting = false, tolerates, ...row }: Trial): Fault {
  const play = async (stage: Stage): Promise<readonly string[]> => {
    const problems: string[] = [];
    if (when === 'ready') problems.push(...(await stage.converge('new-domain')));
    for (const trouble of problems.length > 0 ? [] : troubles) {
      try {
        await trouble.make(stage);
        if (when === 'new') await begin(stage);
        problems.push(...(await asked(stage, () => suffer(stage, when, trouble))));
      } finally {
        await trouble.end?.(stage);
      }
      if (!lasting) stage.clear();
      if (problems.length > 0) break;
    }
    if (problems.length === 0) problems.push(...(await stage.converge('new-domain', recoveryMs)));
    return problems.filter((problem) => tolerates?.test(problem) !== true);
  };
  return { ...row, play };
}

/** The domain is applied and the operator runs, where that is not so yet. */
async function begin({ lane, domain, witness, life }: Stage): Promise<void> {
  lane.gate.arm({ spot: undefined, kill: () => undefined, witness });
  await applyDomain(lane, domain);
  life.start();
}

async function suffer(
  stage: Stage,
  when: Trial['when'],
  { says, meanwhile = says === undefined && when === 'ready' ? looked : undefined }: Trouble,
): Promise<readonly string[]> {
  const unheard = await Promise.all(says?.map((saying) => hear(stage, saying)) ?? []);
  return [...unheard.flat(), ...((await meanwhile?.(stage)) ?? [])];
}

/** Nothing once the object says so; else what it said last. */
export async function hear(
  { lane }: Stage,
  { kind = 'MailDomain', type = 'Ready', reason, words }: Saying,
): Promise<string[]> {
  let last = 'nothing';
  const said = async (): Promise<boolean> => {
    const object = await lane.kube.get<MailDomain | MailExchanger>({ ...refOf(kind) });
    const found = conditionOf(object?.status?.conditions, type);
    if (found !== undefined) last = `${found.status} ${found.reason}: ${found.message}`;
    return found?.reason === reason && words.test(found.message);
  };
  try {
    await waitFor(`${kind} ${type} says ${reason} ${String(words)}`, said, { timeoutMs: saysMs, everyMs: 100 });
    return [];
  } catch (error) {
    return [`${messageOf(error)}; it says ${last}`];
  }
}

const refOf = (kind: 'MailDomain' | 'MailExchanger'): Ref => ({
  apiVersion,
  kind,
  namespace: tenant,
  name: objectName,
});

/** While `work` goes on someone asks for a fresh look every few seconds, as people do who mend things. */
export async function asked<T>({ lane }: Stage, work: () => Promise<T>): Promise<T> {
  const failures: unknown[] = [];
  const ask = (): void => {
    const annotations = { 'mailseal.dev/requested-at': new Date().toISOString() };
    for (const kind of ['MailDomain', 'MailExchanger'] as const) {
      lane.kube.annotate(refOf(kind), annotations).catch((error: unknown) => void failures.push(error));
    }
  };
  ask();
  const timer = setInterval(ask, pokeMs);
  const result = await work().finally(() => clearInterval(timer));
  if (failures.length > 0) throw new AggregateError(failures, 'nobody could ask for a fresh look');
  return result;
}

/** Nothing once both objects were looked at after now. */
export async function looked({ lane }: Stage): Promise<readonly string[]> {
  const now = new Date().toISOString();
  await waitFor('both objects were looked at again', async () => {
    const all = await Promise.all(
      (['MailDomain', 'MailExchanger'] as const).map((kind) => lane.kube.get<MailDomain | MailExchanger>(refOf(kind))),
    );
    return all.every((one) => (one?.status?.requestedAt ?? '') >= now);
  });
  return [];
}
