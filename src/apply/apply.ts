import { MailsealError, messageOf } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { SecretObject } from '../kube/types.ts';
import { checkCertificate, parseChain, renewalTime } from '../pki/certificate.ts';
import type { Change } from '../plan/change.ts';
import type { OpenOrder, State, StoredCertificate, StoredKey } from '../plan/state.ts';
import type { World } from '../world.ts';
import type { IssuerApi } from './issuers.ts';
import { identityOf } from './store.ts';

export interface Applied {
  /** How many changes were made, those that only ride along not counted. */
  readonly made: number;
}

/** The object on whose behalf changes are made, and the version of its durable state that the plan was made from. */
export interface Applicant {
  readonly owner: string;
  readonly resourceVersion: string | undefined;
}

/**
 * Makes the changes of a plan, lane by lane, each up to its first failure. It decides nothing: whatever it leaves
 * undone, also when it is killed in the middle, the next plan finds and goes on from.
 * @throws the first failure; of several, rather one that the next look does not settle by itself.
 */
export async function applyChanges(world: World, applicant: Applicant, changes: readonly Change[]): Promise<Applied> {
  let { resourceVersion } = applicant;
  const save = async (state: State): Promise<void> => {
    resourceVersion = await world.store.save(state, identityOf(state), resourceVersion);
  };
  const forget = async (state: State): Promise<void> => {
    if (resourceVersion !== undefined) await world.store.remove(state.kind, identityOf(state), resourceVersion);
    resourceVersion = undefined;
  };
  let made = 0;
  const run = async (lane: readonly Change[]): Promise<void> => {
    for (const change of lane) {
      if (change.do === 'Records' && change.urgency === 'whenNext') {
        rideAlong(world, applicant.owner, change);
        continue;
      }
      world.log.info('change', { object: applicant.owner, step: change.do, why: change.why });
      await applyChange(world, applicant.owner, change, { save, forget });
      made += 1;
    }
  };
  const { none = [], ...lanes } = Object.groupBy(changes, ({ lane }) => lane ?? 'none');
  await run(none);
  // Side by side: what two lanes write to one zone shares a message.
  const outcomes = await Promise.allSettled(Object.values(lanes).map((lane) => run(lane)));
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  if (failures.length === 0) return { made };
  const told = failures.find((error) => !isLostRace(error)) ?? failures[0];
  for (const error of failures) {
    if (error !== told) world.log.warn('a change failed too', { object: applicant.owner, problem: messageOf(error) });
  }
  throw told;
}

/** Someone else wrote first or leads now, or the object went: nothing is wrong, and the next look sees what stands. */
export function isLostRace(error: unknown): boolean {
  if (error instanceof MailsealError) return error.reason === 'RecordChanged';
  return hasReason(error, 'Conflict', 'AlreadyExists', 'NotLeader', 'Deleted');
}

/** The durable state, at the version that the plan was made from or that this run wrote. */
interface Memory {
  readonly save: (state: State) => Promise<void>;
  readonly forget: (state: State) => Promise<void>;
}

async function applyChange(world: World, owner: string, change: Change, { save, forget }: Memory): Promise<void> {
  switch (change.do) {
    case 'SaveState':
      await save(change.state);
      return;
    case 'Order':
      await openOrder(world, change, save);
      return;
    case 'SelfSign':
      await selfSign(world, change, save);
      return;
    case 'AnswerChallenges':
      await answerChallenges(world, change);
      return;
    case 'Finalize':
      await (await acmeOf(world, change.order.issuer)).finalize(change.order, change.key.pem, change.order.names);
      world.orders.answered(change.order.url);
      return;
    case 'FetchCertificate':
      await fetchCertificate(world, change, save);
      return;
    case 'Records':
      await submit(world, owner, change);
      return;
    case 'Deliver':
      await deliver(world, change.secret);
      return;
    case 'Serve':
      await world.shards.serve(change.host, change.entry);
      return;
    case 'Unserve':
      await world.shards.unserve(change.host);
      return;
    case 'ForgetState':
      await forget(change.state);
      return;
  }
}

async function acmeOf(world: World, name: string): Promise<Extract<IssuerApi, { kind: 'acme' }>['acme']> {
  const issuer = await world.issuerOf(name);
  if (issuer.kind !== 'acme') throw new MailsealError('IssuerNotReady', `CertificateIssuer ${name} is no ACME server`);
  return issuer.acme;
}

type Of<D extends Change['do']> = Extract<Change, { do: D }>;

async function openOrder(
  world: World,
  { state, key, names, issuer }: Of<'Order'>,
  save: (state: State) => Promise<void>,
): Promise<void> {
  const order = await (await acmeOf(world, issuer)).newOrder(names);
  const open: OpenOrder = { ...order, issuer, spkiSha256: key.spkiSha256 };
  world.orders.opened(order.url);
  await save({ ...state, order: open });
}

async function answerChallenges(world: World, { order }: Of<'AnswerChallenges'>): Promise<void> {
  try {
    await (await acmeOf(world, order.issuer)).answer(order);
    world.orders.answered(order.url);
  } catch (error) {
    // The order may have failed or be lost, so that the CA is to be asked how it stands before anything is said again.
    world.orders.forget(order.url);
    throw error;
  }
}

function stored(chain: string, issuer: string, key: StoredKey): StoredCertificate {
  const [leaf] = parseChain(chain);
  if (leaf === undefined) throw new MailsealError('CertificateInvalid', 'the issuer gave no certificate');
  const { names, notBefore, notAfter } = leaf;
  return { chain, issuer, spkiSha256: key.spkiSha256, names, notBefore, notAfter, renewAt: renewalTime(chain) };
}

async function selfSign(
  world: World,
  { state, key, names, issuer }: Of<'SelfSign'>,
  save: (state: State) => Promise<void>,
): Promise<void> {
  const api = await world.issuerOf(issuer);
  if (api.kind !== 'selfSigned')
    throw new MailsealError('IssuerNotReady', `CertificateIssuer ${issuer} does not sign itself`);
  const { issueSelfSigned } = await import('./selfsigned.ts');
  const chain = await issueSelfSigned({ names, keyPem: key.pem, years: api.years, now: world.clock.now() });
  await save({ ...state, certificate: stored(chain, issuer, key) });
}

async function fetchCertificate(
  world: World,
  { order, key, state }: Of<'FetchCertificate'>,
  save: (state: State) => Promise<void>,
): Promise<void> {
  const chain = await (await acmeOf(world, order.issuer)).certificate(order);
  // A mismatched or expired leaf never gets as far as an installation.
  const problems = checkCertificate({ chain, key: key.pem, names: order.names, now: world.clock.now() });
  const { order: _, orderAfter: __, failures: ___, failure: ____, ...rest } = state;
  world.orders.forget(order.url);
  if (problems.length > 0) {
    const failure = `the CA's certificate can't be used: ${problems.map(({ message }) => message).join('; ')}`;
    await save({ ...rest, failures: (state.failures ?? 0) + 1, orderAfter: world.clock.now() + 60_000, failure });
    throw new MailsealError('CertificateInvalid', failure);
  }
  await save({ ...rest, certificate: stored(chain, order.issuer, key) });
}

function submit(
  world: World,
  owner: string,
  { provider, zone, changes, urgency, aliases }: Of<'Records'>,
): Promise<void> {
  return world.zoneWriter.submit({ provider, zone }, changes, { urgency, owner, aliases });
}

/** Goes with the next batch to its zone; nothing waits for it, and it is planned again until it is made. */
function rideAlong(world: World, owner: string, change: Of<'Records'>): void {
  const key = JSON.stringify([change.provider, change.zone, change.changes]);
  if (world.riding.has(key)) return;
  world.riding.add(key);
  world.log.info('change', { object: owner, step: 'Records', why: change.why });
  submit(world, owner, change)
    .catch((error: unknown) =>
      world.log.warn('a change that was to ride along was not made', { object: owner, problem: messageOf(error) }),
    )
    .finally(() => world.riding.delete(key));
}

async function deliver(world: World, secret: SecretObject): Promise<void> {
  try {
    await (secret.metadata.resourceVersion === undefined ? world.kube.create(secret) : world.kube.replace(secret));
  } catch (error) {
    if (!hasReason(error, 'Forbidden')) throw error;
    const { namespace } = secret.metadata;
    throw new MailsealError('SecretForbidden', secretForbidden(namespace ?? ''), { kind: 'Stalled', cause: error });
  }
}

/** Says how the right is given. */
export function secretForbidden(namespace: string): string {
  return `Mailseal may not keep Secrets in namespace ${namespace}: add it to the chart's value tenantNamespaces`;
}
