/** The two cluster-scoped kinds that administrators grant: whether they would work, before a domain needs them. */
import type { WantedCondition } from '../api/conditions.ts';
import type { KindName } from '../api/kinds.ts';
import type { CertificateIssuer, DNSProvider } from '../api/types.ts';
import { reasonOf, validate } from '../api/validate.ts';
import { zonesOf } from '../desired/zones.ts';
import { MailsealError } from '../errors.ts';
import type { Result, World } from '../world.ts';
import { markName } from '../plan/ownership.ts';
import { summarise, type Trouble } from '../status/findings.ts';
import { announce, retryAfterMs, troubleOf, unlessGone } from './common.ts';

/** Every zone answers, with these credentials. */
export async function reconcileProvider(world: World, name: string): Promise<Result> {
  const object = world.cache.providers().find(({ metadata }) => metadata.name === name);
  if (object === undefined) return {};
  return judge(world, object, `serves ${object.spec.zones.join(', ')}`, () => proveProvider(world, object));
}

/** @throws MailsealError where a zone gives no answer, or the credentials are not good. */
export async function proveProvider(world: Pick<World, 'providerOf'>, object: DNSProvider): Promise<void> {
  const provider = await world.providerOf(object.metadata.name);
  for (const zone of zonesOf(object)) await provider.list(zone, [{ name: markName(zone), type: 'TXT' }]);
}

/** The account stands at the CA. */
export async function reconcileIssuer(world: World, name: string): Promise<Result> {
  const object = world.cache.issuers().find(({ metadata }) => metadata.name === name);
  if (object === undefined) return {};
  return judge(world, object, 'ready to issue', async () => void (await world.issuerOf(name)));
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
  well: string,
  proof: () => Promise<void>,
): Promise<Result> {
  const label = `${object.kind} ${object.metadata.name}`;
  let trouble: Trouble | undefined;
  let failure: unknown;
  try {
    checkSpec(object);
    await proof();
  } catch (error) {
    failure = error;
    trouble = troubleOf(error);
    if (trouble === undefined) return { requeueAfterMs: 200 };
    world.log.warn('not usable', { object: label, reason: trouble.reason, problem: trouble.message });
  }
  const conditions: readonly WantedCondition[] = summarise([], trouble, well);
  announce(world, object, conditions);
  const statusDueMs = await unlessGone(world.statusWriter.write(object, {}, conditions));
  // The queue logs it with its stack, and backs off.
  if (trouble?.reason === 'InternalError') throw failure;
  return world.pace.next(label, { trouble, statusDueMs, retryAfterMs: retryAfterMs(failure) });
}
