/** A Retirement that someone removed before it had ended: what it held is free, and stays as it stands. */
import { statusTimeOf } from '../api/conditions.ts';
import { apiVersion, type MailDomain, type MailExchanger, type Retirement } from '../api/types.ts';
import type { Claimant, Claims } from '../apply/claims.ts';
import { hashedName } from '../apply/store.ts';
import { MailsealError } from '../errors.ts';
import type { World } from '../world.ts';
import { labelOf } from './common.ts';

type What = 'domain' | 'host';

/** What a retirement holds. */
export const claimsOf = ({ spec: { domain, hosts = [] } }: Retirement): readonly (readonly [What, string])[] =>
  domain === undefined ? hosts.map((host) => ['host', host] as const) : [['domain', domain]];

/** As whom it holds that. */
export const heirOf = ({ spec: { namespace, name } }: Retirement): Claimant => ({
  kind: 'Retirement',
  namespace,
  name,
});

/** Frees what a removed Retirement still held, and says so; one that had ended held nothing any more. */
export async function giveUp(world: World, retirement: Retirement): Promise<void> {
  const freed: string[] = [];
  for (const [what, name] of claimsOf(retirement)) {
    if (await world.claims.release(what, name, heirOf(retirement))) freed.push(name);
  }
  if (freed.length === 0) return;
  const names = freed.join(', ');
  const message = `given up: what Mailseal published for ${names} stays as it stands, and is renewed no more. Whoever makes an object for it again goes on from there; else withdraw it yourself`;
  world.log.warn('given up', { object: labelOf(retirement), problem: message });
  void world.events.record(retirement, { type: 'Warning', reason: 'Orphaned', action: 'Delete', message });
}

/** The same for all that were removed while nobody looked. */
export async function giveUpForgotten(world: World): Promise<void> {
  const forgotten = new Map<string, Retirement>();
  for (const { what, name, heir } of await world.claims.inherited()) {
    const called = retirementName(what, name, heir);
    if (world.cache.retirement(called) !== undefined || (await isRetiring(world, what, name, heir))) continue;
    forgotten.set(called, madeAnew(world, called, heir, what, [...(forgotten.get(called)?.spec.hosts ?? []), name]));
  }
  for (const retirement of forgotten.values()) await giveUp(world, retirement);
}

/** What can be told of a retirement by its claims. */
function madeAnew(world: World, called: string, heir: Claimant, what: What, names: readonly string[]): Retirement {
  const { namespace, name } = heir;
  const of = { namespace, name, since: statusTimeOf(world.clock.now()) };
  const [domain = ''] = names;
  return {
    apiVersion,
    kind: 'Retirement',
    metadata: { name: called, namespace: world.namespace },
    spec: what === 'domain' ? { what: 'Domain', domain, ...of } : { what: 'Exchanger', hosts: names, ...of },
  };
}

const retirementName = (what: What, claimed: string, { namespace, name }: Claimant): string =>
  what === 'domain' ? hashedName('domain', claimed) : hashedName('exchanger', `${namespace}/${name}`);

/**
 * Holds a claim, also where a retirement has it that was removed while nobody looked.
 * @throws MailsealError `Conflict`, naming the holder's kind and not its namespace.
 */
export async function holdClaim(world: World, ...asked: Parameters<Claims['hold']>): Promise<void> {
  const [what, name] = asked;
  try {
    await world.claims.hold(...asked);
  } catch (error) {
    const conflict = error instanceof MailsealError && error.reason === 'Conflict';
    const heir = conflict ? await world.claims.retiring(what, name) : undefined;
    if (heir === undefined || (await isRetiring(world, what, name, heir))) throw error;
    await world.claims.release(what, name, heir);
    await world.claims.hold(...asked);
  }
}

/** The object is only on its way out, or its Retirement is there: made before the object lets go. */
async function isRetiring(world: World, what: What, claimed: string, heir: Claimant): Promise<boolean> {
  const { namespace, name } = heir;
  const object: MailDomain | MailExchanger | undefined =
    what === 'domain' ? world.cache.domain(namespace, name) : world.cache.exchanger(namespace, name);
  if (object !== undefined) return true;
  const called = retirementName(what, claimed, heir);
  const ref = { apiVersion, kind: 'Retirement', namespace: world.namespace, name: called };
  return (await world.kube.get(ref)) !== undefined;
}
