import type { Reason } from '../api/reasons.ts';
import { plainText } from '../api/text.ts';
import type { RequiredRecord } from '../api/types.ts';
import {
  type Cleanup,
  cleanUp,
  type ObservedChallenges,
  proofs,
  proofsByHand,
  refusalOf,
  spend,
} from './challenges.ts';
import { type Change, humanMs, type Wait } from './change.ts';
import { leadProblem, type Leads } from './leads.ts';
import type { OpenOrder, State, StoredKey } from './state.ts';

/** What the CA last said of the open order, or that this run of the program has just made it or answered it. */
export type OrderView =
  | { readonly status: 'created' }
  | {
      readonly status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid' | 'gone';
      /** This run of the program has answered the challenges already. */
      readonly answered: boolean;
      readonly detail?: string | undefined;
      readonly retryAfterSeconds?: number | undefined;
    };

export interface CertificateInput extends ObservedChallenges {
  readonly state: State;
  readonly key: StoredKey;
  readonly names: readonly string[];
  readonly issuer: { readonly name: string; readonly kind: 'acme' | 'selfSigned' };
  readonly order: OrderView | undefined;
  /** The CNAMEs that lead to challenges in a zone of ours. */
  readonly leads: Leads;
  readonly now: number;
}

export interface CertificatePlan {
  /** The state with spent challenges that are gone taken out; not yet stored. */
  readonly state: State;
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  readonly problem: { readonly reason: Reason; readonly message: string } | undefined;
  /** Proofs that a human is to publish. */
  readonly required: readonly RequiredRecord[];
}

const second = 1000;
/** Our own address record of the policy host may be on its way, and gives the host a name of its own. */
const refusedMs = 5 * second;
const firstRetry = 60 * second;
/** UTF-16 units of what a CA says, in the stored state. */
const longestFailure = 512;
const longestRetry = 6 * 60 * 60 * second;

/** Whether what is stored still serves: for these names, this key and issuer, and before its renewal is due. */
function serves(input: CertificateInput): boolean {
  const { certificate } = input.state;
  if (certificate === undefined) return false;
  const covered = input.names.every((name) => certificate.names.includes(name));
  const same = certificate.spkiSha256 === input.key.spkiSha256 && certificate.issuer === input.issuer.name;
  return covered && same && input.now < certificate.renewAt;
}

/** Plans issuance and renewal of one certificate; with the same key, so that no DNS record changes with it. */
export function planCertificate(input: CertificateInput): CertificatePlan {
  const cleanup = cleanUp(input);
  const state = cleanup.state;
  const { order } = state;
  const at = { ...input, state };
  if (order !== undefined) return join(planOrder(at, order), cleanup);
  if (serves(at)) return join({ changes: [], waits: [], problem: undefined }, cleanup);
  const { names, issuer, now } = input;
  const why =
    state.certificate === undefined
      ? `no certificate for ${names.join(', ')} yet`
      : 'the certificate is due for renewal';
  if (issuer.kind === 'acme' && state.orderAfter !== undefined && now < state.orderAfter) {
    const cause = state.failure === undefined ? 'the last order failed' : `the last order failed: ${state.failure}`;
    const problem = { reason: 'OrderInvalid', message: `${cause}. The next attempt waits` } as const;
    return join({ changes: [], waits: [{ why: problem.message, forMs: state.orderAfter - now }], problem }, cleanup);
  }
  const unled = issuer.kind === 'acme' ? unledChallenges(input) : undefined;
  if (unled !== undefined) return join(unled, cleanup);
  const kind = issuer.kind === 'acme' ? 'Order' : 'SelfSign';
  const problem = { reason: 'OrderPending', message: `a certificate for ${names.join(', ')} is being issued` } as const;
  return join(
    { changes: [{ do: kind, why, state, key: input.key, names, issuer: issuer.name }], waits: [], problem },
    cleanup,
  );
}

/** No order is opened that could not be proven: a human may take weeks to set a CNAME. */
function unledChallenges({ names, leads }: CertificateInput): Step | undefined {
  const problems = names.flatMap((name) => {
    const lead = leads.get(`_acme-challenge.${name}`);
    return lead === undefined ? [] : (leadProblem(lead) ?? []);
  });
  const [problem] = problems;
  return problem && { changes: [], waits: [{ why: problem.message, forMs: humanMs }], problem };
}

type Step = Omit<CertificatePlan, 'state' | 'required'> & Partial<Pick<CertificatePlan, 'required'>>;

function join(step: Step, cleanup: Cleanup): CertificatePlan {
  return { required: [], ...step, state: cleanup.state, changes: [...cleanup.changes, ...step.changes] };
}

const wait = (why: string, forMs: number): Step => ({
  changes: [],
  waits: [{ why, forMs }],
  problem: { reason: 'OrderPending', message: why },
});

function planOrder(input: CertificateInput, order: OpenOrder): Step {
  const { state, order: view } = input;
  const pending = {
    reason: 'OrderPending',
    message: `the certificate for ${order.names.join(', ')} is being issued`,
  } as const;
  if (view === undefined) return wait('the CA has not been asked for the order', second);
  switch (view.status) {
    case 'created':
      return planChallenges(input, order);
    case 'pending':
      return view.answered
        ? wait('the CA is checking the challenges', (view.retryAfterSeconds ?? 1) * second)
        : planChallenges(input, order);
    case 'ready':
      return {
        changes: [{ do: 'Finalize', why: 'the CA accepted the challenges', order, key: input.key }],
        waits: [],
        problem: pending,
      };
    case 'processing':
      return wait('the CA is making the certificate', (view.retryAfterSeconds ?? 1) * second);
    case 'valid':
      return {
        changes: [
          {
            do: 'FetchCertificate',
            why: 'the CA has made the certificate',
            order,
            key: input.key,
            state: spend(input.challenges, order, state),
          },
        ],
        waits: [],
        problem: pending,
      };
    case 'invalid':
    case 'gone':
      return failed(input, order, view.detail ?? `the order is ${view.status}`);
  }
}

function planChallenges(input: CertificateInput, order: OpenOrder): Step {
  const [refused] = input.challenges.flatMap((view) => refusalOf(view) ?? []);
  if (refused !== undefined) {
    return { changes: [], waits: [{ why: refused.message, forMs: refusedMs }], problem: refused };
  }
  const unled = unledChallenges({ ...input, names: order.names });
  if (unled !== undefined) return unled;
  const required = proofsByHand(input.challenges);
  if (required.length > 0) {
    const names = required.map(({ name }) => name).join(', ');
    const message = `a human has to publish the CA's proof: TXT at ${names}. See status.requiredRecords; a CNAME to a zone that Mailseal may write would end that for good`;
    return {
      changes: proofs(input.challenges, input.state.spent),
      waits: [{ why: message, forMs: humanMs }],
      problem: { reason: 'AwaitingHuman', message },
      required,
    };
  }
  const records = proofs(input.challenges, input.state.spent);
  const problem = { reason: 'OrderPending', message: `the CA wants proof for ${order.names.join(', ')}` } as const;
  if (records.length > 0) return { changes: records, waits: [], problem };
  const missing = input.challenges.filter((view) => !view.shownEverywhere).map((view) => view.txtName);
  if (missing.length > 0)
    return wait(`the challenge is not yet at all name servers: ${missing.join(', ')}`, second / 2);
  const unsettled = settling(input, order);
  if (unsettled !== undefined) return unsettled;
  return {
    changes: [{ do: 'AnswerChallenges', why: 'the challenges stand at all name servers', order }],
    waits: [],
    problem,
  };
}

/** All name servers that we see show the proofs; behind an address that many machines share the CA may see another. */
function settling({ challenges, state, now }: CertificateInput, order: OpenOrder): Step | undefined {
  const settleSeconds = Math.max(0, ...challenges.map(({ target }) => (target.ok ? (target.settleSeconds ?? 0) : 0)));
  if (settleSeconds === 0) return undefined;
  const why = `the challenges stand at all name servers; the provider needs ${settleSeconds} s until the world sees them`;
  const left = (order.shownAt ?? now) + settleSeconds * second - now;
  if (left <= 0) return undefined;
  const step = wait(why, left);
  if (order.shownAt !== undefined) return step;
  return { ...step, changes: [{ do: 'SaveState', why, state: { ...state, order: { ...order, shownAt: now } } }] };
}

function failed(input: CertificateInput, order: OpenOrder, detail: string): Step {
  const { order: _, ...rest } = spend(input.challenges, order, input.state);
  const failures = (rest.failures ?? 0) + 1;
  const delay = Math.min(firstRetry * 2 ** (failures - 1), longestRetry);
  const failure = plainText(detail, longestFailure);
  const state: State = { ...rest, failures, orderAfter: input.now + delay, failure };
  return {
    changes: [{ do: 'SaveState', why: `the order failed: ${failure}`, state }],
    waits: [{ why: detail, forMs: delay }],
    problem: { reason: 'OrderInvalid', message: `the CA refused the order for ${order.names.join(', ')}: ${detail}` },
  };
}
