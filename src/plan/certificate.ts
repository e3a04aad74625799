import type { Reason } from '../api/reasons.ts';
import { plainText } from '../api/text.ts';
import type { SuggestedWindow } from '../pki/renewal.ts';
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
import { beforeOrder, type Obstacle, unledChallenges } from './before-order.ts';
import type { ObservedCaa } from './caa.ts';
import { type Change, humanMs, type Wait } from './change.ts';
import { httpObstacle, methodOf, type ObservedHttp } from './http-proof.ts';
import type { Leads } from './leads.ts';
import { certificateOf, covers } from './lane.ts';
import { heed, replacing } from './replacing.ts';
import { type ObservedSource, planSource } from './source.ts';
import type { OpenOrder, State, StoredCertificate, StoredKey } from './state.ts';

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
  readonly issuer: { readonly name: string; readonly kind: 'acme' | 'selfSigned' | 'external' };
  /** Of an external issuer. */
  readonly source?: ObservedSource | undefined;
  readonly order: OrderView | undefined;
  /** Of a policy host alone: an MX host is proven in the DNS, since MX names lead elsewhere than to us. */
  readonly http?: ObservedHttp | undefined;
  /** Undefined until a plan has asked for it. */
  readonly caa?: ObservedCaa | undefined;
  /** When the CA wants the stored certificate to be renewed, where it says so. */
  readonly suggested?: SuggestedWindow | undefined;
  /** The CNAMEs that lead to challenges in a zone of ours. */
  readonly leads: Leads;
  readonly now: number;
}

export interface CertificatePlan {
  /** The state with spent challenges that are gone taken out, and the time of renewal as the CA wants it; not yet stored. */
  readonly state: State;
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  readonly problem: { readonly reason: Reason; readonly message: string } | undefined;
  /** An order would be opened for these names, if CAA lets it: that is to be looked at. */
  readonly asksCaa?: readonly string[] | undefined;
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

/** Whether a certificate still serves: for these names, by this issuer, and before its renewal is due. */
export function serves(
  certificate: StoredCertificate,
  { names, issuer, now }: Pick<CertificateInput, 'names' | 'now'> & { readonly issuer: { readonly name: string } },
): boolean {
  return covers(certificate, names) && certificate.issuer === issuer.name && now < certificate.renewAt;
}

/** Plans issuance and renewal of one certificate; with the same key, so that no DNS record changes with it. */
export function planCertificate(input: CertificateInput): CertificatePlan {
  const cleaned = cleanUp(input);
  const state = heed(cleaned.state, input.suggested);
  const cleanup = { ...cleaned, state };
  const { order } = state;
  const at = { ...input, state };
  if (order !== undefined) return join(planOrder(at, order), cleanup);
  if (input.issuer.kind === 'external') return join(planSource(input.source), cleanup);
  const certificate = certificateOf(state, input.key.spkiSha256);
  if (certificate !== undefined && serves(certificate, at))
    return join({ changes: [], waits: [], problem: undefined }, cleanup);
  const { names, issuer, now } = input;
  // The CA was asked about the certificate that the hosts have.
  const suggested = certificate === state.certificate ? input.suggested : undefined;
  if (issuer.kind === 'acme' && state.orderAfter !== undefined && now < state.orderAfter) {
    const cause = state.failure === undefined ? 'the last order failed' : `the last order failed: ${state.failure}`;
    const problem = { reason: 'OrderInvalid', message: `${cause}. The next attempt waits` } as const;
    return join({ changes: [], waits: [{ why: problem.message, forMs: state.orderAfter - now }], problem }, cleanup);
  }
  const obstacle = beforeOrder(input);
  if (obstacle !== undefined) return join(stopped(obstacle), cleanup);
  const { why, ...told } = replacing(certificate, { names, issuer: issuer.name, suggested, now });
  const reason = told.hurried === undefined ? '' : `: ${why}`;
  const message = `a certificate for ${names.join(', ')} is being issued${reason}`;
  const wanted = { why, state, key: input.key, names, issuer: issuer.name };
  const change: Change =
    issuer.kind === 'acme'
      ? { do: 'Order', method: methodOf(input.http), ...wanted, ...told }
      : { do: 'SelfSign', ...wanted };
  return join({ changes: [change], waits: [], problem: { reason: 'OrderPending', message } }, cleanup);
}

type Step = Omit<CertificatePlan, 'state' | 'required'> & Partial<Pick<CertificatePlan, 'required'>>;

function join(step: Step, cleanup: Cleanup): CertificatePlan {
  return { required: [], ...step, state: cleanup.state, changes: [...cleanup.changes, ...step.changes] };
}

const stopped = ({ problem, forMs, asksCaa }: Obstacle): Step => ({
  changes: [],
  waits: [{ why: problem.message, forMs }],
  problem,
  asksCaa,
});

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
  if (order.http !== undefined) return planHttp(input, order);
  const [refused] = input.challenges.flatMap((view) => refusalOf(view) ?? []);
  if (refused !== undefined) {
    return { changes: [], waits: [{ why: refused.message, forMs: refusedMs }], problem: refused };
  }
  const unled = unledChallenges({ ...input, names: order.names });
  if (unled !== undefined) return stopped(unled);
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

function planHttp({ http }: CertificateInput, order: OpenOrder): Step {
  const problem = httpObstacle(http, order);
  if (problem !== undefined)
    return stopped({ problem, forMs: problem.reason === 'OrderPending' ? second / 2 : humanMs });
  return {
    changes: [{ do: 'AnswerChallenges', why: 'the policy pods answer as the CA wants it', order }],
    waits: [],
    problem: { reason: 'OrderPending', message: `the CA wants proof for ${order.names.join(', ')}` },
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

/** The state after an order that gave no certificate: the next one waits, longer each time. `failure` is what the CA said. */
export function afterFailure(
  state: State,
  failure: string,
  now: number,
): State & Required<Pick<State, 'failures' | 'orderAfter' | 'failure'>> {
  const failures = (state.failures ?? 0) + 1;
  const orderAfter = now + Math.min(firstRetry * 2 ** (failures - 1), longestRetry);
  return { ...state, failures, orderAfter, failure: plainText(failure, longestFailure) };
}

function failed(input: CertificateInput, order: OpenOrder, detail: string): Step {
  const { order: _, ...rest } = spend(input.challenges, order, input.state);
  const state = afterFailure(rest, detail, input.now);
  return {
    changes: [{ do: 'SaveState', why: `the order failed: ${state.failure}`, state }],
    waits: [{ why: detail, forMs: state.orderAfter - input.now }],
    problem: { reason: 'OrderInvalid', message: `the CA refused the order for ${order.names.join(', ')}: ${detail}` },
  };
}
