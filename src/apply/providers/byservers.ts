/** What stands by the word of the zone's own servers, for providers that have no API that tells. */
import type { Answer, Authorities, ServerAnswer } from '../../dns/answer.ts';
import { isWithin } from '../../dns/names.ts';
import type { RecordSet, RecordType } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import { answered, reachable } from '../../observe/dns/shown.ts';
import type { SetKey } from './provider.ts';

/** Questions of one list that are under way at a time; each goes to every server of the zone. */
const questionsAtATime = 20;

const isAlias = ({ name, canonicalName }: Answer): boolean => canonicalName !== name;

/**
 * Whether the name has it itself. A wildcard that made it says so only where the zone is signed; elsewhere what it makes
 * can't be told from what stands, and is left alone as another's.
 */
const isThere = (answer: Answer): boolean =>
  answer.wildcard !== true && (answer.outcome === 'Found' || isAlias(answer));

/** In one order whatever the answers come in, so that servers that differ don't make the plan waver. */
const inOrder = (answers: readonly ServerAnswer[]): readonly ServerAnswer[] => {
  const placeOf = ({ server, address }: ServerAnswer): string => `${server} ${address}`;
  return [...answers].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
};

function unknown(zone: string, { name, type }: SetKey, silent: ServerAnswer | undefined): MailsealError {
  const why =
    silent === undefined
      ? `no name server of the zone ${zone} could be found`
      : `${silent.server}${silent.address === '' ? '' : ` (${silent.address})`} gave no answer: ${silent.answer.detail ?? silent.answer.outcome}`;
  return new MailsealError('DNSUnknown', `whether ${type} stands at ${name} is not known: ${why}`);
}

/** The first answer that shows something; undefined where all servers that count deny it. */
async function shownAt(authorities: Authorities, zone: string, key: SetKey): Promise<Answer | undefined> {
  const answers = reachable(inOrder(await authorities.lookupAll(zone, key.name, key.type)));
  const shown = answers.find(({ answer }) => isThere(answer));
  if (shown !== undefined) return shown.answer;
  const silent = answers.find(({ answer }) => !answered(answer));
  if (answers.length === 0 || silent !== undefined) throw unknown(zone, key, silent);
  return undefined;
}

async function listSet(authorities: Authorities, zone: string, { name, type }: SetKey): Promise<readonly RecordSet[]> {
  const set = (of: RecordType, { ttl, values }: Answer): RecordSet => ({ name, type: of, ttl, values });
  const shown = await shownAt(authorities, zone, { name, type });
  if (shown === undefined) return [];
  if (!isAlias(shown)) return [set(type, shown)];
  // The answer tells only where the aliases end.
  const alias = await shownAt(authorities, zone, { name, type: 'CNAME' });
  return [set('CNAME', alias ?? { ...shown, values: [shown.canonicalName] })];
}

/**
 * Of these sets those that any server of the zone shows as its own data; where an alias stands instead, that. Their TTL
 * is the one that the server gives.
 * @throws MailsealError `DNSUnknown` where a server can't be asked and none of the others shows anything: what nobody
 * denied is not absent; `ProviderRefused` for names outside of the zone.
 */
export async function listByServers(
  authorities: Authorities,
  zone: string,
  sought: readonly SetKey[],
): Promise<readonly RecordSet[]> {
  const stray = sought.find(({ name }) => !isWithin(name, zone));
  if (stray !== undefined) throw new MailsealError('ProviderRefused', `${stray.name} is not in the zone ${zone}`);
  const found = new Map<string, RecordSet>();
  for (let at = 0; at < sought.length; at += questionsAtATime) {
    const some = sought.slice(at, at + questionsAtATime);
    const sets = await Promise.all(some.map((one) => listSet(authorities, zone, one)));
    for (const set of sets.flat()) found.set(`${set.name} ${set.type}`, set);
  }
  return [...found.values()];
}
