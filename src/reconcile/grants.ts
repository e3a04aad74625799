/** The two cluster-scoped kinds that administrators grant: whether they would work, before a domain needs them. */
import type { WantedCondition } from '../api/conditions.ts';
import type { KindName } from '../api/kinds.ts';
import type { CertificateIssuer, DNSProvider } from '../api/types.ts';
import { reasonOf, validate } from '../api/validate.ts';
import { zonesText } from '../desired/zones.ts';
import { MailsealError } from '../errors.ts';
import type { Result, World } from '../world.ts';
import { observeProviderZones, type ObservedZone } from '../observe/provider.ts';
import { isUnreliable, providerStatus, providerWords } from '../status/provider.ts';
import { summarise } from '../status/findings.ts';
import type { ZoneObserver } from '../observe/dns/zonehealth.ts';
import { announce, retryAfterMs, troubleOf, unlessGone } from './common.ts';

/** What was found out of a grant: what its status says, and what is wrong with it, if anything. */
export interface Proof {
  readonly status: object;
  readonly well: string;
  readonly failure?: MailsealError | undefined;
}

/** Credentials, zones, name servers and DNSSEC, as far as they can be known before a domain needs them. */
export async function reconcileProvider(world: World, name: string): Promise<Result> {
  const object = world.cache.providers().find(({ metadata }) => metadata.name === name);
  if (object === undefined) return {};
  return judge(world, object, () => proveProvider(world, object));
}

/** @throws MailsealError where the provider can't be made at all. */
export async function proveProvider(
  world: Pick<World, 'providerOf'> & ZoneObserver,
  object: DNSProvider,
): Promise<Proof> {
  const zones = await observeProviderZones(world, object, await world.providerOf(object.metadata.name));
  const refused = zones.find(({ error }) => error !== undefined)?.error;
  const failure = refused ?? unreliable(zones.find((zone) => zone.isNoZone !== true && isUnreliable(zone)));
  return {
    status: providerStatus(zones.filter(({ isNoZone }) => isNoZone !== true)),
    well: providerWords(zonesText(object), zones),
    failure,
  };
}

function unreliable(zone: ObservedZone | undefined): MailsealError | undefined {
  if (zone === undefined) return undefined;
  const reason = zone.dnssec === 'Bogus' ? 'ZoneBogus' : 'ServerSilent';
  return new MailsealError(reason, `the zone ${zone.name}: ${zone.message ?? reason}`);
}

/** The account stands at the CA. */
export async function reconcileIssuer(world: World, name: string): Promise<Result> {
  const object = world.cache.issuers().find(({ metadata }) => metadata.name === name);
  if (object === undefined) return {};
  return judge(world, object, async () => {
    const issuer = await world.issuerOf(name);
    const note = issuer.kind === 'acme' && issuer.note !== undefined ? `; ${issuer.note}` : '';
    const well =
      issuer.kind === 'external' ? 'each exchanger names the Secret that its certificate comes in' : 'ready to issue';
    return { status: {}, well: `${well}${note}` };
  });
}

/** @throws MailsealError with everything that is wrong with the spec. */
export function checkSpec(object: { readonly kind: KindName }): void {
  const problems = validate(object.kind, object);
  const message = problems.map((problem) => problem.message).join('; ');
  if (problems.length > 0) throw new MailsealError(reasonOf(problems) ?? 'InvalidSpec', message, { kind: 'Stalled' });
}

async function judge(
  world: World,
  object: DNSProvider | CertificateIssuer,
  prove: () => Promise<Proof>,
): Promise<Result> {
  const label = `${object.kind} ${object.metadata.name}`;
  const { proof, failure } = await attempt(object, prove);
  const trouble = failure === undefined ? undefined : troubleOf(failure);
  if (failure !== undefined && trouble === undefined) return { requeueAfterMs: 200 };
  if (trouble !== undefined)
    world.log.warn('not usable', { object: label, reason: trouble.reason, problem: trouble.message });
  const conditions: readonly WantedCondition[] = summarise([], trouble, proof?.well ?? '');
  announce(world, object, conditions);
  const statusDueMs = await unlessGone(world.statusWriter.write(object, proof?.status, conditions));
  // The queue logs it with its stack, and backs off.
  if (trouble?.reason === 'InternalError') throw failure;
  return world.pace.next(label, { trouble, statusDueMs, retryAfterMs: retryAfterMs(failure) });
}

async function attempt(
  object: DNSProvider | CertificateIssuer,
  prove: () => Promise<Proof>,
): Promise<{ readonly proof?: Proof; readonly failure?: unknown }> {
  try {
    checkSpec(object);
    const proof = await prove();
    return { proof, failure: proof.failure };
  } catch (failure) {
    return { failure };
  }
}
