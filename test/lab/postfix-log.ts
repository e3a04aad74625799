/** What Postfix says in its log about one delivery, and nothing beyond it. */

type DeliveryStatus = 'sent' | 'deferred' | 'bounced';

export interface Delivery {
  readonly queueId: string;
  /** Whether this delivery went over a channel of which the log says "Verified TLS connection established". */
  readonly verified: boolean;
  readonly status: DeliveryStatus;
  /** `mx1.example.test[10.53.0.10]:25`, or `none`. */
  readonly relay: string;
  /** Postfix's reason, without the parentheses. */
  readonly reason: string;
  /** The lines of the client that tried this delivery, from its first attempt to the outcome. */
  readonly log: readonly string[];
}

export interface ReceivedMessage {
  readonly queueId: string;
  readonly to: string;
}

// Anchored from the front: what a server replied stands at the end of a line and may say anything.
const outcome =
  /^\w+ +\d+ [\d:]+ \S+ postfix\/(\w+)\[(\d+)\]: (\w+): to=<([^>]*)>,(?: orig_to=<[^>]*>,)? relay=([^,]+), .*?status=(\w+) \((.*)\)$/;
const anyChannel = /^\w+ +\d+ [\d:]+ \S+ postfix\/(\w+\[\d+\]): (\w+) TLS connection established to (\S+): /;
const channel = /^\w+ +\d+ [\d:]+ \S+ postfix\/\w+\[\d+\]: (\w+) TLS connection established to (\S+): /;

/** What one line says of a delivery that has ended, where the lines come one after another. */
export type Outcome = Omit<Delivery, 'log'>;

/** Takes each line of a log once, in order; gives the outcome that it tells of. As `deliveryOf`, and for a log that grows. */
export function readOutcomes(): (line: string) => Outcome | undefined {
  /** By client: the channel that it has opened since its last outcome. */
  const open = new Map<string, { readonly level: string; readonly to: string }>();
  return (line) => {
    const [, by = '', level = '', to = ''] = anyChannel.exec(line) ?? [];
    if (by !== '') open.set(by, { level, to });
    const match = outcome.exec(line);
    if (match === null) return undefined;
    const [, service = '', pid = '', queueId = '', , relay = '', status = '', reason = ''] = match;
    const client = `${service}[${pid}]`;
    const last = open.get(client);
    open.delete(client);
    return {
      queueId,
      verified: last?.level === 'Verified' && last.to === relay,
      status: statusOf(status, queueId),
      relay,
      reason,
    };
  };
}

function statusOf(status: string, queueId: string): DeliveryStatus {
  if (status === 'sent' || status === 'deferred' || status === 'bounced') return status;
  throw new Error(`Postfix says of ${queueId} status=${status}, which nobody here expects`);
}

/** The queue id that the message with that id got. */
export function queueIdOf(lines: readonly string[], messageId: string): string | undefined {
  const line = lines.find((each) => each.endsWith(`: message-id=<${messageId}>`));
  return line === undefined ? undefined : /\]: (\w+): message-id=/.exec(line)?.[1];
}

/** The first outcome of a message; `undefined` as long as there is none. */
export function deliveryOf(lines: readonly string[], queueId: string): Delivery | undefined {
  const end = lines.findIndex((line) => outcome.exec(line)?.[3] === queueId);
  const match = outcome.exec(lines[end] ?? '');
  if (match === null) return undefined;
  const [, service = '', pid = '', , , relay = '', status = '', reason = ''] = match;
  const log = attempt(lines.slice(0, end + 1), service, pid);
  const channels = log.flatMap((line) => [channel.exec(line)?.slice(1) ?? []]).filter(([, to]) => to === relay);
  const verified = channels.at(-1)?.[0] === 'Verified';
  return { queueId, verified, status: statusOf(status, queueId), relay, reason, log };
}

/**
 * The last lines of one client, up to its previous outcome. TLS lines carry no queue id; a client makes one delivery
 * at a time, so that all it says between two outcomes belongs to the second.
 */
function attempt(lines: readonly string[], service: string, pid: string): string[] {
  const own = lines.filter((line) => line.includes(`postfix/${service}[${pid}]: `));
  const previous = own.slice(0, -1).findLastIndex((line) => outcome.test(line));
  return own.slice(previous + 1);
}

export function receivedMessages(lines: readonly string[]): ReceivedMessage[] {
  return lines.flatMap((line) => {
    const [, service, , queueId, to, , status] = outcome.exec(line) ?? [];
    if (service !== 'discard' || status !== 'sent' || queueId === undefined || to === undefined) return [];
    return [{ queueId, to }];
  });
}
