import { statusTimeOf, type WantedCondition } from '../api/conditions.ts';
import type { RetirementSpec, RetirementStatus } from '../api/types.ts';
import type { RetirementPlan } from '../plan/retirement.ts';
import {
  finding,
  nextSteps,
  publishedRecords,
  refusedTrouble,
  requiredRecords,
  summarise,
  type Trouble,
} from './findings.ts';

const subject = ({ domain, hosts, name }: RetirementSpec): string => domain ?? hosts?.join(', ') ?? name;

/** A namespace takes the Secret of its hosts with it. */
const keysOfHosts =
  '. The Secret that the hosts mount is renewed, with the same key, as long as a policy names the hosts; if it has gone with its namespace, hosts that start anew have no certificate, and their keys lie with the operator until this ends';

function judge(spec: RetirementSpec, { phase, due, waits }: RetirementPlan): WantedCondition {
  const of = subject(spec);
  switch (phase) {
    case 'Withdrawing': {
      const open = waits[0]?.why ?? 'it has just begun';
      const message = `the policy of ${of} is being withdrawn, mode none is not everywhere yet: ${open}`;
      return finding('Ready', 'False', 'Withdrawing', message);
    }
    case 'Holding': {
      if (spec.what === 'Exchanger') return finding('Ready', 'True', 'PromiseHeld', `${of}: ${waits[0]?.why ?? ''}`);
      const until = due === undefined ? '' : ` until ${statusTimeOf(due)}`;
      const message = `mode none is served for ${of}${until}: some sender may still hold to an earlier policy`;
      return finding('Ready', 'True', 'PromiseHeld', message);
    }
    case 'Removing': {
      const message = `the records of ${of} are being removed: ${waits[0]?.why ?? 'now'}`;
      return finding('Ready', 'False', 'Removing', spec.what === 'Exchanger' ? message + keysOfHosts : message);
    }
    case 'Done':
      return finding('Ready', 'True', 'Retired', `all that was published for ${of} has gone`);
  }
}

/** What a human does where we can't write the zone any more. */
const wayOut = ({ byHand }: RetirementPlan): string =>
  byHand.length === 0
    ? ''
    : `. Mend that, or remove by hand ${byHand.join(', ')}: then the retirement goes on. To leave all as it stands, delete the Retirement`;

/** The conditions of a retirement: Ready while the promise is kept and nothing has to be done. */
export function retirementFindings(
  spec: RetirementSpec,
  plan: RetirementPlan,
  trouble: Trouble | undefined,
): readonly WantedCondition[] {
  const stop = trouble ?? refusedTrouble(plan.refused);
  const ready = judge(spec, plan);
  if (stop !== undefined) return summarise([], { ...stop, message: stop.message + wayOut(plan) }, '');
  if (ready.status === 'True') return [ready];
  return [ready, { ...ready, type: 'Reconciling', status: 'True' }];
}

export function retirementStatus(plan: RetirementPlan): Omit<RetirementStatus, 'conditions'> {
  return {
    records: publishedRecords(plan.state.applied),
    requiredRecords: requiredRecords(plan.required),
    next: nextSteps(plan.waits, []),
    ...(plan.due === undefined ? {} : { due: statusTimeOf(plan.due) }),
  };
}
