import type { RecordChange } from '../dns/change.ts';
import type { RecordSet } from '../dns/rrset.ts';
import type { Reason } from '../api/reasons.ts';
import { plainText } from '../api/text.ts';
import type { Change, Wait } from './change.ts';
import { refusalBelow } from './guard.ts';
import type { RecordView } from './record-view.ts';
import type { OpenOrder, State, StoredKey } from './state.ts';

/** A target that differs from the name that leads to it, as the writer of records wants to know it. */
const aliasesOf = (name: string, txtName: string): Readonly<Record<string, string>> =>
  name === txtName ? {} : { [name]: txtName };

/** Where one challenge record is to stand, after CNAMEs, and what stands there now. */
export interface ChallengeView {
  readonly txtName: string;
  readonly txtValue: string;
  readonly target:
    | { readonly ok: true; readonly name: string; readonly provider: string; readonly zone: string }
    | { readonly ok: false; readonly reason: Reason; readonly message: string };
  readonly live: RecordSet | undefined;
  /** The name that it hangs on comes from a wildcard; asked only before anything stands there. */
  readonly synthesised: RecordView['synthesised'];
  readonly shownEverywhere: boolean;
}

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

export interface CertificateInput {
  readonly state: State;
  readonly key: StoredKey;
  readonly names: readonly string[];
  readonly issuer: { readonly name: string; readonly kind: 'acme' | 'selfSigned' };
  readonly order: OrderView | undefined;
  readonly challenges: readonly ChallengeView[];
  /** TXT sets at names of spent challenges, by name. */
  readonly spentLive: ReadonlyMap<string, RecordSet>;
  readonly now: number;
}

export interface CertificatePlan {
  /** The state with spent challenges that are gone taken out; not yet stored. */
  readonly state: State;
  readonly changes: readonly Change[];
  readonly waits: readonly Wait[];
  readonly problem: { readonly reason: Reason; readonly message: string } | undefined;
}

/** Seconds that a challenge record may be cached: nobody but the CA asks for it. */
export const challengeTtlSeconds = 5;
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
  const cleanup = planCleanup(input);
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
  const kind = issuer.kind === 'acme' ? 'Order' : 'SelfSign';
  const problem = { reason: 'OrderPending', message: `a certificate for ${names.join(', ')} is being issued` } as const;
  return join(
    { changes: [{ do: kind, why, state, key: input.key, names, issuer: issuer.name }], waits: [], problem },
    cleanup,
  );
}

type Step = Omit<CertificatePlan, 'state'>;

function join(step: Step, cleanup: CertificatePlan): CertificatePlan {
  return { ...step, state: cleanup.state, changes: [...cleanup.changes, ...step.changes] };
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
            state: spend(input, order, state),
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
  const records = proofs(input.challenges);
  const problem = { reason: 'OrderPending', message: `the CA wants proof for ${order.names.join(', ')}` } as const;
  if (records.length > 0) return { changes: records, waits: [], problem };
  const missing = input.challenges.filter((view) => !view.shownEverywhere).map((view) => view.txtName);
  if (missing.length > 0)
    return wait(`the challenge is not yet at all name servers: ${missing.join(', ')}`, second / 2);
  return {
    changes: [{ do: 'AnswerChallenges', why: 'the challenges stand at all name servers', order }],
    waits: [],
    problem,
  };
}

/** Why a challenge can't be published: it leads nowhere, or would take the place of what a wildcard provides. */
function refusalOf({ target, live, synthesised }: ChallengeView): CertificatePlan['problem'] {
  if (!target.ok) return { reason: target.reason, message: target.message };
  return live === undefined ? refusalBelow(target.name, synthesised) : undefined;
}

/** The records that the CA asks for and that do not stand yet; those that share a target travel in one set. */
function proofs(challenges: readonly ChallengeView[]): readonly Change[] {
  const missing = challenges.flatMap(({ txtName, txtValue, target, live }) =>
    target.ok && live?.values.includes(txtValue) !== true ? [{ ...target, txtName, txtValue, live }] : [],
  );
  return [...Map.groupBy(missing, ({ name, provider, zone }) => `${provider} ${zone} ${name}`).values()].flatMap(
    (group): readonly Change[] => {
      const [first] = group;
      if (first === undefined) return [];
      const { name, provider, zone, live, txtName } = first;
      // RFC 8555 §8.4: several TXT values may stand at one challenge name; others' are left alone.
      const values = [...new Set([...(live?.values ?? []), ...group.map(({ txtValue }) => txtValue)])];
      const after: RecordSet = { name, type: 'TXT', ttl: live?.ttl ?? challengeTtlSeconds, values };
      const change: RecordChange = { name, type: 'TXT', before: live, after };
      const why = `the CA asks for a proof at ${group.map((one) => one.txtName).join(', ')}`;
      const aliases = aliasesOf(name, txtName);
      return [{ do: 'Records', why, provider, zone, changes: [change], urgency: 'now', aliases }];
    },
  );
}

function spend(input: Pick<CertificateInput, 'challenges'>, order: OpenOrder, state: State): State {
  const spent = input.challenges.flatMap(({ target, txtName, txtValue }) =>
    target.ok ? [{ name: target.name, txtName, value: txtValue, provider: target.provider, zone: target.zone }] : [],
  );
  const fresh = spent.filter((entry) => order.authorizations.some(({ txtValue }) => txtValue === entry.value));
  return { ...state, spent: [...state.spent, ...fresh] };
}

function failed(input: CertificateInput, order: OpenOrder, detail: string): Step {
  const { order: _, ...rest } = spend(input, order, input.state);
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

/** No certificate is wanted any more: an open order is left to lapse, and its challenge records go. */
export function abandon(input: Pick<CertificateInput, 'state' | 'challenges' | 'spentLive'>): CertificatePlan {
  const { order } = input.state;
  if (order === undefined) return planCleanup(input);
  const { order: _, ...state } = spend(input, order, input.state);
  return { state, changes: [], waits: [], problem: undefined };
}

/** Challenge records that have served go away with the next batch to their zone. */
function planCleanup(input: Pick<CertificateInput, 'state' | 'spentLive'>): CertificatePlan {
  const still = input.state.spent.filter(({ name, value }) => input.spentLive.get(name)?.values.includes(value));
  const byName = Map.groupBy(still, ({ name }) => name);
  const changes = [...byName].flatMap(([name, spent]): Change[] => {
    const live = input.spentLive.get(name);
    const [first] = spent;
    if (live === undefined || first === undefined) return [];
    const values = live.values.filter((value) => !spent.some((entry) => entry.value === value));
    const after = values.length === 0 ? undefined : { ...live, values };
    const change: RecordChange = { name, type: 'TXT', before: live, after };
    const { provider, zone } = first;
    return [
      {
        do: 'Records',
        why: `the challenge at ${name} has served`,
        provider,
        zone,
        changes: [change],
        urgency: 'whenNext',
        aliases: aliasesOf(name, first.txtName),
      },
    ];
  });
  return { state: { ...input.state, spent: still }, changes, waits: [], problem: undefined };
}
