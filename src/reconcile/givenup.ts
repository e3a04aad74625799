/** A Retirement that someone removed before it had ended: what it held is free, and stays as it stands. */
import { statusTimeOf } from '../api/conditions.ts';
import { apiVersion, type Retirement } from '../api/types.ts';
import type { Claimant, Claims } from '../apply/claims.ts';
import { hashedName } from '../apply/store.ts';
import { canonicalNames } from '../desired/exchanger.ts';
import { MailsealError } from '../errors.ts';
import { markedHosts } from '../plan/ownership.ts';
import type { World } from '../world.ts';
import { finalizer, labelOf } from './common.ts';
import { isEnding } from './fence.ts';

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

/**
 * Frees what a removed Retirement still held, and says so; one that had ended held nothing any more. What its object has
 * come back for waits for that.
 */
export async function giveUp(world: World, retirement: Retirement): Promise<void> {
  const freed: string[] = [];
  for (const [what, name] of claimsOf(retirement)) {
    if (await isWanted(world, what, name, heirOf(retirement))) continue;
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

/** A Retirement is there for it: made before the object lets go. Or the object is still, or again, there for it. */
async function isRetiring(world: World, what: What, claimed: string, heir: Claimant): Promise<boolean> {
  for (const [of, name] of sharing(what, claimed)) {
    const called = retirementName(of, name, heir);
    const ref = { apiVersion, kind: 'Retirement', namespace: world.namespace, name: called };
    const retirement = await world.kube.get<Retirement>(ref);
    const holds = retirement !== undefined && claimsOf(retirement).some(([, one]) => one === name);
    if (holds || (await isWanted(world, of, name, heir))) return true;
  }
  return false;
}

/** A domain and the host where its policy is served are one claim. */
function sharing(what: What, claimed: string): readonly (readonly [What, string])[] {
  if (what === 'domain')
    return [
      ['domain', claimed],
      ['host', `mta-sts.${claimed}`],
    ];
  return claimed.startsWith('mta-sts.')
    ? [
        ['host', claimed],
        ['domain', claimed.slice('mta-sts.'.length)],
      ]
    : [['host', claimed]];
}

/** The object that a retirement speaks of stands for what is claimed, by its spec or by its marks, and we have not let it go. */
async function isWanted(world: World, what: What, claimed: string, { namespace, name }: Claimant): Promise<boolean> {
  const { domain, exchanger } = world.cache;
  const [object, names] =
    what === 'domain'
      ? ([domain(namespace, name), canonicalNames([domain(namespace, name)?.spec.domain ?? ''])] as const)
      : ([exchanger(namespace, name), canonicalNames(exchanger(namespace, name)?.spec.hosts ?? [])] as const);
  if (object === undefined) return false;
  if (isEnding(object) && object.metadata.finalizers?.includes(finalizer) !== true) return false;
  if (names.includes(claimed) || what === 'domain') return names.includes(claimed);
  return marks(world, `${namespace}/${name}`, claimed);
}

/** What can't be read may mark it. */
async function marks(world: World, exchanger: string, host: string): Promise<boolean> {
  try {
    const stored = await world.store.load('exchanger', exchanger);
    return markedHosts(stored?.state.applied ?? []).includes(host);
  } catch (error) {
    if (error instanceof MailsealError) return true;
    throw error;
  }
}
