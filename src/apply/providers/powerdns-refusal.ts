import { MailsealError } from '../../errors.ts';
import { quoted } from '../../dns/problem.ts';
import { describe } from '../../dns/rrset.ts';
import { retryAfterSeconds } from '../acme-problem.ts';
import type { ApiAnswer } from './powerdns-http.ts';
import type { SeenZone } from './powerdns-zone.ts';
import type { RecordChange } from './provider.ts';

export interface Asked {
  readonly host: string;
  readonly serverId: string;
  readonly zone: string;
  /** Whether it was to change something. */
  readonly writes: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const longest = 300;
/** Seconds: without a word of the server's, and at the most. */
const pauses = { usual: 5, longest: 3600 };

const stalled = { kind: 'Stalled' } as const;

/** What the server says is wrong: `error` of its JSON, or its text; what is invisible is replaced. */
function saidIn(text: string | undefined): string {
  let said: unknown = text ?? '';
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value === 'object' && value !== null && 'error' in value) said = value.error;
  } catch {
    // It is told in plain text then.
  }
  return String(said)
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, longest);
}

/** What an answer other than 2xx means for the caller. */
export function refusalOf(answer: ApiAnswer, { host, serverId, zone, writes, now }: Asked): MailsealError {
  const { status } = answer;
  const server = `PowerDNS at ${host}`;
  const said = saidIn(answer.text);
  const told = said === '' ? `HTTP status ${status}` : `${said} (HTTP status ${status})`;
  if (status === 401 || status === 403)
    return new MailsealError(
      'ProviderUnauthorized',
      `${server} does not accept the API key (HTTP status ${status}): put the api-key of its configuration into the credentials Secret as "api-key"`,
      stalled,
    );
  if (status === 404)
    return new MailsealError(
      'ZoneNotFound',
      `${server} holds no zone ${zone} as server "${serverId}": correct the DNSProvider's zones or its spec.powerdns.serverId`,
      stalled,
    );
  if (status === 429)
    return new MailsealError('ProviderThrottled', `${server} asks us to wait before the zone ${zone} is called for`, {
      retryAfterSeconds: Math.min(retryAfterSeconds(answer.retryAfter, now) ?? pauses.usual, pauses.longest),
    });
  if (status >= 500)
    return new MailsealError(
      'ProviderUnavailable',
      `${server} failed at the zone ${zone}: ${told}; ${writes ? 'the change may or may not have been made' : 'nothing was written'}; see its log`,
    );
  // It compares only so far as the DNS itself forbids what is asked for.
  if (status === 422 && /conflicts with (pre-existing|another) rrset/iu.test(said))
    return new MailsealError(
      'RecordChanged',
      `in the zone ${zone} something else stands than was seen before (${said}); nothing was written`,
    );
  if (status >= 300 && status < 400)
    return new MailsealError(
      'ProviderRefused',
      `${server} leads elsewhere (to ${quoted(answer.location ?? '')}), where Mailseal does not follow: correct spec.powerdns.url`,
      stalled,
    );
  return new MailsealError('ProviderRefused', `${server} refuses what is asked of the zone ${zone}: ${told}`, stalled);
}

const copies: readonly string[] = ['slave', 'secondary', 'consumer'];
const sources: readonly string[] = ['master', 'primary', 'producer'];

/**
 * Why a zone is not to be written although the API would do it: tried with 4.7, it takes changes of a secondary zone,
 * which the next transfer undoes, and leaves the serial alone where the zone has no SOA-EDIT-API, as those that
 * `pdnsutil` makes: its secondaries would never fetch the change.
 */
export function unwritable(
  { kind, soaEditApi, soaEdit }: SeenZone,
  host: string,
  zone: string,
): MailsealError | undefined {
  if (copies.includes(kind))
    return new MailsealError(
      'ProviderRefused',
      `PowerDNS at ${host} holds only a copy of the zone ${zone} (its kind is ${quoted(kind)}): name its primary in spec.powerdns.url`,
      stalled,
    );
  const staysPut = soaEditApi === '' || soaEditApi?.toUpperCase() === 'OFF';
  if (!sources.includes(kind) || !staysPut || soaEdit?.toUpperCase() === 'EPOCH') return undefined;
  return new MailsealError(
    'ProviderRefused',
    `PowerDNS at ${host} would not raise the serial of the zone ${zone}, so that its secondaries would not see a change: run there pdnsutil set-meta ${zone} SOA-EDIT-API DEFAULT`,
    stalled,
  );
}

/** A set that an ALIAS or a LUA record answers for can't be changed: what is written there would stand beside that record. */
export function unchangeable({ made }: SeenZone, changes: readonly RecordChange[]): MailsealError | undefined {
  const before = changes
    .map((change) => change.before)
    .find((set) => made.some(({ name, type }) => set?.name === name && set.type === type));
  if (before === undefined) return undefined;
  return new MailsealError(
    'ProviderRefused',
    `Mailseal changes no ALIAS and no LUA record of PowerDNS: ${describe(before)}. Nothing was written; remove it, and Mailseal publishes its own record there`,
    stalled,
  );
}
