/** Any name server that takes dynamic updates (RFC 2136) signed with TSIG (RFC 8945): BIND, Knot, PowerDNS, … */
import { capabilitiesOf } from '../../api/capabilities.ts';
import { defaults } from '../../api/defaults.ts';
import type { DNSProviderSpec } from '../../api/types.ts';
import type { Clock } from '../../clock.ts';
import type { MayWrite } from '../../kube/guard.ts';
import { isWithin, parentsUpTo, toALabel } from '../../dns/names.ts';
import { type RecordSet, type RecordType, equalSets } from '../../dns/rrset.ts';
import { MailsealError } from '../../errors.ts';
import { type Endpoint, parseAddress } from '../../observe/dns/endpoint.ts';
import { synthesised } from '../../observe/dns/read.ts';
import { type Message, encodeQuery } from '../../observe/dns/wire.ts';
import { credential, stalled } from './credentials.ts';
import type { Credentials, ProviderParts } from './index.ts';
import type { Provider, SetKey } from './provider.ts';
import { callByCall, changesText, refusalOf } from './refusal.ts';
import { type SignedConnection, UnsignedAnswer, connectSigned } from './signed.ts';
import { createStanding, setAt, zoneOf } from './standing.ts';
import type { TsigKey } from './tsig.ts';
import { bytesOf, bytesPerMessage, encodeUpdate, existsRows, packed, type Part, roomOf, rowsOf } from './update.ts';

export interface Rfc2136Options {
  /** The server that takes updates. */
  readonly address: string;
  /** Default 53. */
  readonly port?: number;
  readonly key: TsigKey;
  readonly clock: Clock;
  /** Milliseconds for each answer of the server. Default 10000. */
  readonly timeoutMs?: number | undefined;
  /** Asked right before each message that changes something. */
  readonly mayWrite?: MayWrite | undefined;
}

/** Questions of one list that stand in the server's queue at a time. */
const questionsAtATime = 20;

/** The key in the credentials Secret that holds the TSIG secret, base64 as `tsig-keygen` writes it. */
const tsigSecretKey = 'tsig-secret';

function tsigSecret(credentials: Credentials): Buffer {
  const text = credential(credentials, tsigSecretKey, 'the base64 TSIG secret');
  const secret = Buffer.from(text, 'base64');
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(text) && secret.length >= 16) return secret;
  throw stalled(
    'CredentialsInvalid',
    `"${tsigSecretKey}" of the credentials Secret is not base64 of at least 16 bytes`,
  );
}

/** The provider that a spec describes; throws as `createProvider` does. */
export function fromSpec(
  { server, tsigKeyName, tsigAlgorithm }: NonNullable<DNSProviderSpec['rfc2136']>,
  credentials: Credentials,
  { clock, timeoutMs, mayWrite }: Pick<ProviderParts, 'clock' | 'timeoutMs' | 'mayWrite'>,
): Provider {
  const place = parseAddress(server, 53);
  if (place === undefined)
    throw stalled('InvalidSpec', `spec.rfc2136.server "${server}" is not an address with a port`);
  const name = toALabel(tsigKeyName, { minLabels: 1, underscore: true });
  if (!name.ok) throw stalled('InvalidSpec', `spec.rfc2136.tsigKeyName ${name.problem}`);
  const algorithm = tsigAlgorithm ?? defaults.provider.tsigAlgorithm;
  const key = { name: name.name, algorithm, secret: tsigSecret(credentials) } as const;
  return createRfc2136({ ...place, clock, timeoutMs, mayWrite, key });
}

function zoneNotFound(what: string, zone: string): MailsealError {
  return new MailsealError('ZoneNotFound', `${what}, not in the zone ${zone}: correct the DNSProvider's zones`, {
    kind: 'Stalled',
  });
}

/** RFC 1035 §4.2.2: two octets say how long a message is. */
function refuseTooLarge(message: readonly Part[]): void {
  const bytes = bytesOf(message);
  if (bytes <= bytesPerMessage) return;
  const what = changesText(message.map(([change]) => change));
  throw new MailsealError(
    'ProviderRefused',
    `no dynamic update holds the change of ${what}: what stands there and what is to stand come to ${bytes} bytes, of ${bytesPerMessage} at most; make the record shorter. Nothing was written`,
    { kind: 'Stalled' },
  );
}

/**
 * The provider for one server and key. All calls go over TCP, signed. Lists share a connection while they follow each
 * other; a change opens its own, for one that the server closes in the middle would leave it in doubt.
 */
export function createRfc2136(options: Rfc2136Options): Provider {
  const endpoint: Endpoint = {
    protocol: 'tcp',
    address: options.address,
    port: options.port ?? 53,
    serverName: undefined,
  };
  const server = options.address;
  const standing = createStanding();
  const connect = (): SignedConnection =>
    connectSigned(endpoint, options.key, options.clock, options.timeoutMs ?? 10_000);
  const connected = async <T>(work: (connection: SignedConnection) => Promise<T>): Promise<T> => {
    const connection = connect();
    try {
      return await work(connection);
    } finally {
      connection.close();
    }
  };
  let kept: SignedConnection | undefined;
  const keeping = async <T>(work: (connection: SignedConnection) => Promise<T>): Promise<T> => {
    const reused = kept?.done() === false;
    const connection = kept !== undefined && reused ? kept : connect();
    kept = connection;
    try {
      return await work(connection);
    } catch (error) {
      // The server may have closed a kept connection just then; a fresh one tells.
      if (!reused || !connection.done()) throw error;
      kept = kept === connection ? connect() : kept;
      return await work(kept);
    }
  };

  const ask = async (connection: SignedConnection, zone: string, name: string, type: RecordType): Promise<Message> => {
    const question = { name, type, recursion: false, checkingDisabled: false };
    const message = await connection
      .exchange((id) => encodeQuery(id, question))
      .catch((error: unknown) => {
        // Where Knot holds no zone it looks for no key either, and refuses without a signature.
        if (!(error instanceof UnsignedAnswer) || error.rcode !== 'REFUSED') throw error;
        throw zoneNotFound(`${server} refuses to answer about ${name}, without a signature`, zone);
      });
    if (message.rcode === 'SERVFAIL') {
      throw new MailsealError('ProviderUnavailable', `${server} fails to look up ${name} (SERVFAIL): see its log`);
    }
    if (!['NOERROR', 'NXDOMAIN'].includes(message.rcode) || !message.authoritative) {
      throw zoneNotFound(`${server} gives no answer of its own about ${name} (${message.rcode})`, zone);
    }
    // A zone above or below ours is not the one that we may write to.
    const from = zoneOf(message, name);
    if (from !== undefined && from !== zone) throw zoneNotFound(`at ${server} ${name} lies in the zone ${from}`, zone);
    return message;
  };

  /** Leaves out what only a wildcard answers with: it does not stand at the name. */
  const standsThere = async (
    connection: SignedConnection,
    zone: string,
    set: RecordSet,
    message: Message,
  ): Promise<boolean> => {
    const signed = synthesised(message.answers, set.name, set.type);
    if (signed !== undefined) return !signed;
    for (const parent of parentsUpTo(set.name, zone)) {
      const wildcard = `*.${parent}`;
      const above = setAt(await ask(connection, zone, wildcard, set.type), wildcard, set.type);
      if (above === undefined || !equalSets({ ...above, name: set.name }, set)) continue;
      // The two can't be told apart by asking; a condition without a change can.
      const condition = existsRows(set.name, set.type);
      return (await connection.exchange((id) => encodeUpdate(id, zone, [condition]))).rcode === 'NOERROR';
    }
    return true;
  };

  const listSet = async (
    connection: SignedConnection,
    zone: string,
    { name, type }: SetKey,
  ): Promise<readonly RecordSet[]> => {
    const message = await ask(connection, zone, name, type);
    // RFC 1034 §3.6.2: where an alias stands it is the answer, whatever was asked for.
    const set = setAt(message, name, 'CNAME') ?? setAt(message, name, type);
    if (set === undefined || !(await standsThere(connection, zone, set, message))) return [];
    standing.note(message, set);
    return [set];
  };

  const list: Provider['list'] = (zone, sought) =>
    keeping(async (connection) => {
      const stray = sought.find(({ name }) => !isWithin(name, zone));
      if (stray !== undefined) throw new MailsealError('ProviderRefused', `${stray.name} is not in the zone ${zone}`);
      const found = new Map<string, RecordSet>();
      for (let at = 0; at < sought.length; at += questionsAtATime) {
        const some = sought.slice(at, at + questionsAtATime);
        const sets = await Promise.all(some.map((one) => listSet(connection, zone, one)));
        for (const set of sets.flat()) found.set(`${set.name} ${set.type}`, set);
      }
      return [...found.values()];
    });

  const apply: Provider['apply'] = async (zone, changes) => {
    if (changes.length === 0) return;
    const messages = packed(changes.map((change) => [change, rowsOf(change, changes, standing.of)]));
    for (const message of messages) refuseTooLarge(message);
    await connected((connection) =>
      callByCall(messages, async (message) => {
        const rows = message.map(([, own]) => own);
        const { rcode } = await connection.exchange((id) => {
          options.mayWrite?.();
          return encodeUpdate(id, zone, rows);
        });
        const about = message.map(([change]) => change);
        if (rcode !== 'NOERROR') throw refusalOf(rcode, zone, server, about);
      }),
    );
  };

  const share: Provider['share'] = (change) => {
    try {
      return roomOf([change, rowsOf(change, [], standing.of)]);
    } catch {
      // What can't be written in a message fails by itself.
      return 1;
    }
  };
  return { capabilities: capabilitiesOf.rfc2136, share, list, apply, close: () => kept?.close() };
}
