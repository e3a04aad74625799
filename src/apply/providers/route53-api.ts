/** The calls of Route 53 that Mailseal makes, through the SDK: bounded in pace, time and size. */
import {
  type Change,
  ChangeResourceRecordSetsCommand,
  type HostedZone,
  ListHostedZonesByNameCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
  type Route53ClientConfig,
} from '@aws-sdk/client-route-53';
import { defaults } from '../../api/defaults.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import { MailsealError } from '../../errors.ts';
import type { MayWrite } from '../../kube/guard.ts';
import { createTurns } from '../../observe/dns/turns.ts';
import { credential } from './credentials.ts';
import type { Credentials } from './index.ts';
import { createLimiter, type Limiter } from './limiter.ts';
import type { CallRate } from './provider.ts';
import { type Action, errorOf, isCutOff, zoneNotFound } from './route53-errors.ts';
import { nameOf, toApiName } from './route53-format.ts';
import type { Page, Start } from './route53-sets.ts';

export interface Route53Options {
  readonly spec: NonNullable<DNSProviderSpec['route53']>;
  readonly credentials: Credentials;
  /** Asked right before each call that changes something. */
  readonly mayWrite?: MayWrite | undefined;
  /** Milliseconds for each answer. Default 10000. */
  readonly timeoutMs?: number | undefined;
  /** Of all calls together. */
  readonly rate: CallRate;
  /** Default: one of its own. */
  readonly limiterFor?: ((rate: CallRate) => Limiter) | undefined;
}

/** Calls throw what `errorOf` makes of a failure. */
export interface Route53Api {
  readonly page: (zone: string, start: Start, most: number) => Promise<Page>;
  /** All changes or none. */
  readonly change: (zone: string, changes: readonly Change[]) => Promise<void>;
  /** Lets go of connections when the calls under way have ended. */
  readonly close: () => void;
}

const defaultTimeoutMs = 10_000;
/** Bytes of one answer: 300 record sets take some 100 KB. */
const mostBytes = 8 << 20;
/** Zones of one name that are looked through: one public at best, and private ones. */
const zonesOfName = 100;

interface Abort {
  readonly abortSignal: AbortSignal;
}
type Call = <T>(call: (abort: Abort) => Promise<T>) => Promise<T>;

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of stream) {
    bytes += part.length;
    if (bytes > mostBytes) throw new Error(`its answer is longer than ${mostBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

type Identity = NonNullable<Route53ClientConfig['credentials']>;

/** The keys of the Secret, or undefined where there is none: then the SDK looks for the operator's own identity. */
function keysOf(credentials: Credentials): Identity | undefined {
  if (Object.keys(credentials).length === 0) return undefined;
  const sessionToken = credentials['session-token']?.trim() ?? '';
  return {
    accessKeyId: credential(credentials, 'access-key-id', 'the id of the access key'),
    secretAccessKey: credential(credentials, 'secret-access-key', 'the secret access key'),
    ...(sessionToken === '' ? {} : { sessionToken }),
  };
}

/** What every client of the SDK is made with. */
function settings({ spec, timeoutMs = defaultTimeoutMs }: Route53Options) {
  return {
    region: spec.region ?? defaults.provider.route53Region,
    ...(spec.endpoint === undefined ? {} : { endpoint: spec.endpoint }),
    // What is tried again is decided here: a second attempt at a write would find the work of the first in its way.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: timeoutMs, requestTimeout: timeoutMs, throwOnRequestTimeout: true },
    streamCollector: collect as NonNullable<Route53ClientConfig['streamCollector']>,
  };
}

/** The SDK asks for it before a call, and keeps it until it expires. */
function identityOf(options: Route53Options): Identity | undefined {
  const keys = keysOf(options.credentials);
  const { roleArn, externalId } = options.spec;
  if (roleArn === undefined) return keys;
  return async () => {
    const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
    const assume = fromTemporaryCredentials({
      ...(keys === undefined ? {} : { masterCredentials: keys }),
      params: {
        RoleArn: roleArn,
        RoleSessionName: 'mailseal',
        ...(externalId === undefined ? {} : { ExternalId: externalId }),
      },
      clientConfig: settings(options),
    });
    return assume();
  };
}

/** Opens no connection. Throws MailsealError `CredentialsMissing`. */
export function createRoute53Api(options: Route53Options): Route53Api {
  const identity = identityOf(options);
  const client = new Route53Client({
    ...settings(options),
    ...(identity === undefined ? {} : { credentials: identity }),
  });
  const limiter = (options.limiterFor ?? createLimiter)(options.rate);
  const writes = createTurns(1);
  const ids = new Map<string, Promise<string>>();
  /** Ids that an answer about another zone showed. */
  const neighbours = new Map<string, string>();
  /** One search at a time: what it shows of other zones spares theirs. */
  const searches = createTurns(1);
  let underWay = 0;
  let closed = false;

  const once: Call = async (call) => {
    // Finding credentials may take calls of its own, which end with this one.
    const abortSignal = AbortSignal.timeout((options.timeoutMs ?? defaultTimeoutMs) * 2);
    const { promise: late, reject } = Promise.withResolvers<never>();
    const end = (): void => reject(new Error('it does not answer'));
    abortSignal.addEventListener('abort', end, { once: true });
    underWay += 1;
    try {
      return await Promise.race([call({ abortSignal }), late]);
    } finally {
      abortSignal.removeEventListener('abort', end);
      underWay -= 1;
      if (closed && underWay === 0) client.destroy();
    }
  };
  /** A kept connection may be closed just when it is used; what only asks can ask again. */
  const twice: Call = (call) =>
    once(call).catch((error: unknown) => {
      if (!isCutOff(error)) throw error;
      return once(call);
    });

  const send = <T>(zone: string, action: Action, call: (abort: Abort) => Promise<T>): Promise<T> =>
    // A zone that still works on a change may be asked.
    limiter.run(`${action} ${zone}`, async () => {
      const isWrite = action === 'ChangeResourceRecordSets';
      if (isWrite) options.mayWrite?.();
      try {
        return await (isWrite ? once(call) : twice(call));
      } catch (error) {
        throw errorOf(error, action, zone);
      }
    });

  /** The answer about one zone shows those that follow it: of a thousand not each has to be asked for. */
  const noteNeighbours = (shown: readonly HostedZone[]): void => {
    const byName = Map.groupBy(shown, ({ Name = '' }) => nameOf(Name));
    // The page may end between two zones of one name.
    byName.delete(nameOf(shown.at(-1)?.Name ?? ''));
    for (const [name, zones] of byName) {
      const [first, ...others] = zones.filter(({ Config }) => Config?.PrivateZone !== true);
      if (first?.Id !== undefined && others.length === 0) neighbours.set(name, first.Id);
    }
  };

  const find = async (zone: string): Promise<string> => {
    const shown = neighbours.get(zone);
    // Believed once: where it proves wrong the zone is asked for.
    if (neighbours.delete(zone) && shown !== undefined) return shown;
    const command = new ListHostedZonesByNameCommand({ DNSName: toApiName(zone), MaxItems: zonesOfName });
    const { HostedZones = [] } = await send(zone, 'ListHostedZonesByName', (abort) => client.send(command, abort));
    const found = HostedZones.filter(({ Name = '', Config }) => nameOf(Name) === zone && Config?.PrivateZone !== true);
    const [first, ...others] = found;
    if (first?.Id === undefined) throw zoneNotFound(zone);
    if (others.length === 0) {
      noteNeighbours(HostedZones);
      return first.Id;
    }
    throw new MailsealError(
      'ProviderRefused',
      `Route 53 has ${found.length} public hosted zones ${zone} in the account of these credentials, and nothing says which one the world asks: remove all but that`,
      { kind: 'Stalled' },
    );
  };
  const idOf = (zone: string): Promise<string> => {
    const known = ids.get(zone);
    if (known !== undefined) return known;
    const id = searches.take('', () => find(zone));
    ids.set(zone, id);
    id.catch(() => ids.delete(zone));
    return id;
  };
  const inZone = async <T>(zone: string, work: (id: string) => Promise<T>): Promise<T> => {
    const isRemembered = ids.has(zone);
    try {
      return await work(await idOf(zone));
    } catch (error) {
      const isGone = error instanceof MailsealError && error.reason === 'ZoneNotFound';
      if (isGone) {
        ids.delete(zone);
        neighbours.delete(zone);
      }
      // It may have been made anew, and has another id by now.
      if (!isGone || !isRemembered) throw error;
      return work(await idOf(zone));
    }
  };

  return {
    page: (zone, start, most) =>
      inZone(zone, async (HostedZoneId) => {
        const command = new ListResourceRecordSetsCommand({
          HostedZoneId,
          StartRecordName: start.name,
          StartRecordType: start.type,
          StartRecordIdentifier: start.identifier,
          MaxItems: most,
        });
        const answer = await send(zone, 'ListResourceRecordSets', (abort) => client.send(command, abort));
        const { ResourceRecordSets: sets = [], IsTruncated, NextRecordName: name } = answer;
        if (IsTruncated !== true || name === undefined) return { sets, next: undefined };
        return { sets, next: { name, type: answer.NextRecordType, identifier: answer.NextRecordIdentifier } };
      }),
    change: (zone, changes) =>
      inZone(zone, (HostedZoneId) =>
        writes.take(zone, async () => {
          const command = new ChangeResourceRecordSetsCommand({ HostedZoneId, ChangeBatch: { Changes: [...changes] } });
          await send(zone, 'ChangeResourceRecordSets', (abort) => client.send(command, abort));
        }),
      ),
    close: () => {
      closed = true;
      if (underWay === 0) client.destroy();
    },
  };
}
