/** The steps by which a certificate comes about, each up to what it stores. */
import { plainText } from '../api/text.ts';
import { MailsealError } from '../errors.ts';
import { checkCertificate } from '../pki/certificate.ts';
import { afterFailure } from '../plan/certificate.ts';
import type { Change } from '../plan/change.ts';
import { filed } from '../plan/lane.ts';
import { postponed, revoked } from '../plan/revocation.ts';
import { certificateFrom } from '../plan/source.ts';
import type { OpenOrder, State } from '../plan/state.ts';
import type { World } from '../world.ts';
import type { Acme } from './acme.ts';

/** UTF-16 units, of a CA's words among others. */
const longestNote = 512;

type Of<D extends Change['do']> = Extract<Change, { do: D }>;
type Save = (state: State) => Promise<void>;

async function acmeOf(world: World, name: string): Promise<Acme> {
  const issuer = await world.issuerOf(name);
  if (issuer.kind !== 'acme') throw new MailsealError('IssuerNotReady', `CertificateIssuer ${name} is no ACME server`);
  return issuer.acme;
}

const counted = (hurried: number | undefined): Pick<OpenOrder, 'hurried'> => (hurried === undefined ? {} : { hurried });

export async function openOrder(world: World, change: Of<'Order'>, save: Save): Promise<void> {
  const { state, key, names, issuer, replaces, hurried, rank, method } = change;
  const order = await (await acmeOf(world, issuer)).newOrder(names, { replaces, rank, method });
  world.orders.opened(order.url);
  await save({ ...state, order: { ...order, issuer, spkiSha256: key.spkiSha256, ...counted(hurried) } });
}

export async function answerChallenges(world: World, { order }: Of<'AnswerChallenges'>): Promise<void> {
  try {
    await (await acmeOf(world, order.issuer)).answer(order);
    world.orders.answered(order.url);
  } catch (error) {
    // The order may have failed or be lost, so that the CA is to be asked how it stands before anything is said again.
    world.orders.forget(order.url);
    throw error;
  }
}

export async function finalize(world: World, { order, key }: Of<'Finalize'>): Promise<void> {
  await (await acmeOf(world, order.issuer)).finalize(order, key.pem, order.names);
  world.orders.answered(order.url);
}

export async function selfSign(world: World, change: Of<'SelfSign'>, save: Save): Promise<void> {
  const { state, key, names, issuer } = change;
  const api = await world.issuerOf(issuer);
  if (api.kind !== 'selfSigned')
    throw new MailsealError('IssuerNotReady', `CertificateIssuer ${issuer} does not sign itself`);
  const { issueSelfSigned } = await import('./selfsigned.ts');
  const chain = await issueSelfSigned({ names, keyPem: key.pem, years: api.years, now: world.clock.now() });
  await save(filed(state, certificateFrom(chain, issuer, key.spkiSha256)));
}

export async function fetchCertificate(
  world: World,
  { order, key, state }: Of<'FetchCertificate'>,
  save: Save,
): Promise<void> {
  const now = world.clock.now();
  const { chain, note } = await (await acmeOf(world, order.issuer)).certificate(order);
  // A mismatched or expired leaf never gets as far as an installation.
  const problems = checkCertificate({ chain, key: key.pem, names: order.names, now });
  const { order: _, orderAfter: __, failures: ___, failure: ____, ...rest } = state;
  world.orders.forget(order.url);
  if (problems.length > 0) {
    const failure = `the CA's certificate can't be used: ${problems.map(({ message }) => message).join('; ')}`;
    await save(afterFailure({ ...rest, failures: state.failures ?? 0 }, failure, now));
    throw new MailsealError('CertificateInvalid', failure);
  }
  world.suggestions.issued(chain);
  const noted = note === undefined ? {} : { note: plainText(note, longestNote) };
  await save(
    filed(rest, { ...certificateFrom(chain, order.issuer, key.spkiSha256), ...counted(order.hurried), ...noted }),
  );
}

/** A CA that refuses or is away is asked again later, and keeps nothing else up. */
export async function revoke(world: World, { revocation, state }: Of<'Revoke'>, save: Save): Promise<void> {
  const { issuer, chain, key } = revocation;
  try {
    const from = await world.issuerOf(issuer);
    if (from.kind === 'acme') await from.acme.revoke(chain, key?.pem);
    else world.log.warn('a certificate of a compromised key is to be revoked by whoever had it issued', { issuer });
  } catch (error) {
    if (!(error instanceof MailsealError)) throw error;
    world.log.warn('a certificate was not revoked', { issuer, reason: error.reason, problem: error.message });
    return save(postponed(state, revocation, error.message, world.clock.now()));
  }
  await save(revoked(state, revocation));
}
