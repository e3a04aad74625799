/** A PowerDNS Authoritative Server by its HTTP API, tried with 4.7. */
import { setTimeout as pause } from 'node:timers/promises';
import { capabilitiesOf } from '../../api/capabilities.ts';
import { defaults } from '../../api/defaults.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import type { Clock } from '../../clock.ts';
import { isWithin } from '../../dns/names.ts';
import { type RecordSet, equalSets } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import { createTurns } from '../../observe/dns/turns.ts';
import { stillStands } from './compare.ts';
import { credential, stalled } from './credentials.ts';
import type { Credentials, ProviderParts } from './index.ts';
import { type Api, type ApiAnswer, createApi } from './powerdns-http.ts';
import { refusalOf, unchangeable, unwritable } from './powerdns-refusal.ts';
import { type SeenZone, patchOf, readZone } from './powerdns-zone.ts';
import type { Provider, RecordChange, SetKey } from './provider.ts';

/** Questions of one look that are under way at a time. */
const questionsAtATime = 4;
/** Some 100,000 record sets. */
const mostBytes = 16 * 1024 * 1024;
/**
 * The zone is fetched whole where that is no more for each name: some 400 record sets. Asked for one name, servers before
 * 5.0 leave out what is disabled. Source: https://github.com/PowerDNS/pdns/issues/11473
 */
const worthOfName = 64 * 1024;
/** The server's own limit of a body is 2 MiB (webserver-max-bodysize); a change of many sets locks its database long. */
const roomBytes = 1024 * 1024;
const roomSets = 500;
/** With SQLite below, whoever writes while another does is told to try again, by a status of 500. */
const attempts = 5;
const pauseMs = 100;

const apiKeyName = 'api-key';

/** The provider that a spec describes; throws as `createProvider` does. */
export function fromSpec(
  spec: NonNullable<DNSProviderSpec['powerdns']>,
  credentials: Credentials,
  { clock, timeoutMs, mayWrite }: Pick<ProviderParts, 'clock' | 'timeoutMs' | 'mayWrite'>,
): Provider {
  const url = URL.parse(spec.url);
  if (url === null || !['https:', 'http:'].includes(url.protocol))
    throw stalled('InvalidSpec', `spec.powerdns.url "${spec.url}" is not a URL that begins with https://`);
  if (url.protocol === 'http:' && spec.plainHttp !== true)
    throw stalled('InvalidSpec', 'spec.powerdns.url is without TLS, and spec.powerdns.plainHttp does not allow it');
  const apiKey = credential(credentials, apiKeyName, 'the api-key of the server');
  if (!/^[\x21-\x7e]+$/u.test(apiKey))
    throw stalled(
      'CredentialsInvalid',
      `"${apiKeyName}" of the credentials Secret holds a character that no header may`,
    );
  const api = createApi({ url, apiKey, caBundle: spec.caBundle, timeoutMs: timeoutMs ?? 10_000, mayWrite });
  return createPowerdns(api, spec.serverId ?? defaults.provider.powerdnsServerId, clock);
}

function createPowerdns(api: Api, serverId: string, clock: Clock): Provider {
  const pathOf = (zone: string): string =>
    `/api/v1/servers/${encodeURIComponent(serverId)}/zones/${zone === '' ? '=2E' : `${zone}.`}`;
  const questions = createTurns(questionsAtATime);
  const writers = createTurns(1);
  /** Bytes that the whole of a zone is longer than, of those that were too long to be read. */
  const longer = new Map<string, number>();

  const refused = (answer: ApiAnswer, zone: string, writes: boolean): MailsealError =>
    refusalOf(answer, { host: api.host, serverId, zone, writes, now: clock.now() });

  const ask = async (zone: string, query = '', most = mostBytes): Promise<SeenZone | 'TooLong'> => {
    let answer = await api.read(pathOf(zone) + query, most);
    for (let attempt = 1; answer.status >= 500 && attempt < attempts; attempt += 1) {
      await later(attempt);
      answer = await api.read(pathOf(zone) + query, most);
    }
    if (answer.status !== 200) throw refused(answer, zone, false);
    if (answer.text === undefined) return 'TooLong';
    const seen = readZone(answer.text);
    if (seen !== undefined) return seen;
    const message = `what answers at ${api.host} is not PowerDNS' API: see whether spec.powerdns.url is right`;
    throw new MailsealError('ProviderUnavailable', message);
  };

  const askWhole = async (zone: string, most: number): Promise<SeenZone | 'TooLong'> => {
    try {
      return await ask(zone, '', most);
    } catch (error) {
      // A server that takes too long over all of a zone may still answer about a name.
      if (error instanceof MailsealError && error.reason === 'ProviderUnavailable') return 'TooLong';
      throw error;
    }
  };

  const askName = async (zone: string, name: string): Promise<SeenZone> => {
    const seen = await questions.take('', () => ask(zone, `?rrset_name=${encodeURIComponent(name)}.`));
    if (seen !== 'TooLong') return seen;
    const message = `PowerDNS at ${api.host} answers about ${name} with more than ${mostBytes / 1024 / 1024} MiB`;
    throw new MailsealError('ProviderUnavailable', `${message}: before 4.6 it can't be asked for one name; update it`);
  };

  /** What stands at these names, and perhaps at others. */
  const look = async (zone: string, keys: readonly Pick<SetKey, 'name'>[]): Promise<SeenZone> => {
    const stray = keys.find(({ name }) => !isWithin(name, zone));
    if (stray !== undefined) throw new MailsealError('ProviderRefused', `${stray.name} is not in the zone ${zone}`);
    const [first = zone, ...others] = new Set(keys.map(({ name }) => name));
    const worth = Math.min(mostBytes, (others.length + 1) * worthOfName);
    // What was too long is not tried again for a little more.
    const isWorthIt = worth >= 2 * (longer.get(zone) ?? 0);
    const whole = isWorthIt ? await askWhole(zone, worth) : 'TooLong';
    if (whole !== 'TooLong') return whole;
    const seen = await askName(zone, first);
    // It answers: so it was the length.
    if (isWorthIt) longer.set(zone, worth);
    // Before 4.6 the server does not mind what it is asked for, and tells all.
    if (others.length === 0 || seen.names.some((name) => name !== first)) return seen;
    const more = await Promise.all(others.map((name) => askName(zone, name)));
    const all = [seen, ...more];
    return { ...seen, sets: all.flatMap(({ sets }) => sets), made: all.flatMap(({ made }) => made) };
  };

  const list: Provider['list'] = async (zone, sought) =>
    sought.length === 0 ? [] : soughtIn((await look(zone, sought)).sets, sought);

  const write = async (zone: string, changes: readonly RecordChange[]): Promise<void> => {
    const body = patchOf(changes);
    for (let attempt = 1; ; attempt += 1) {
      const seen = await look(zone, changes);
      if (attempt > 1 && isMade(seen.sets, changes)) return;
      const why = unwritable(seen, api.host, zone);
      if (why !== undefined) throw why;
      await stillStands(async (_, sought) => soughtIn(seen.sets, sought), zone, changes);
      const taken = unchangeable(seen, changes);
      if (taken !== undefined) throw taken;
      const answer = await api.write(pathOf(zone), body);
      if (answer.status >= 200 && answer.status < 300) return;
      if (answer.status < 500 || attempt >= attempts) throw refused(answer, zone, true);
      await later(attempt);
    }
  };

  return {
    capabilities: capabilitiesOf.powerdns,
    rate: { atOnce: 8 },
    share: (change) => Math.max(1 / roomSets, Buffer.byteLength(patchOf([change])) / roomBytes),
    list,
    // Nobody else of this program comes between the look and the change, or meets a locked database.
    apply: (zone, changes) => (changes.length === 0 ? Promise.resolve() : writers.take('', () => write(zone, changes))),
    close: api.close,
  };
}

/** Not all at the same time again. */
const later = (attempt: number): Promise<void> => pause(pauseMs * attempt * (0.5 + Math.random()));

function soughtIn(sets: readonly RecordSet[], sought: readonly SetKey[]): readonly RecordSet[] {
  const at = new Map(sets.map((set) => [`${set.name} ${set.type}`, set]));
  const found = sought.flatMap(({ name, type }) => at.get(`${name} CNAME`) ?? at.get(`${name} ${type}`) ?? []);
  return [...new Set(found)];
}

/** What failed may have been made all the same. */
const isMade = (sets: readonly RecordSet[], changes: readonly RecordChange[]): boolean =>
  changes.every(({ name, type, after }) => {
    const live = sets.find((set) => set.name === name && set.type === type);
    if (after === undefined || after.values.length === 0) return live === undefined;
    return live !== undefined && equalSets(live, after, { ttl: true });
  });
