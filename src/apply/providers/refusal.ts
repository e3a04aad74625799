import { MailsealError } from '../../errors.ts';
import type { RecordChange } from './provider.ts';

/** How the words of a failure end where nothing of its call was written. */
export const nothingWritten = '; nothing was written';

/** The same failure, in words that say that an earlier call for the same changes did write. */
export function partlyMade(error: unknown): unknown {
  if (!(error instanceof MailsealError)) return error;
  const { reason, kind, retryAfterSeconds, message } = error;
  const words = `${message.replace(nothingWritten, '')}; other records of the same change were written before`;
  return new MailsealError(reason, words, { kind, retryAfterSeconds, cause: error });
}

/** Makes the calls that changes come to, one after the other up to the first that fails. */
export async function callByCall<C>(calls: readonly C[], make: (call: C) => Promise<void>): Promise<void> {
  for (const [made, call] of calls.entries()) {
    try {
      await make(call);
    } catch (error) {
      throw made === 0 ? error : partlyMade(error);
    }
  }
}

/** `TXT at a.example.com, A at …`: a few of them, and how many more. */
export function changesText(changes: readonly RecordChange[]): string {
  const all = [...new Set(changes.map((change) => `${change.type} at ${change.name}`))];
  return all.length <= 5 ? all.join(', ') : `${all.slice(0, 5).join(', ')} and ${all.length - 5} more`;
}

/** Turns a name server's refusal of an update into what the caller acts on. Source: RFC 2136 §2.2. */
export function refusalOf(
  rcode: string,
  zone: string,
  server: string,
  changes: readonly RecordChange[],
): MailsealError {
  const what = changesText(changes);
  const stalled = { kind: 'Stalled' } as const;
  switch (rcode) {
    case 'NXRRSET':
    case 'YXRRSET':
    case 'YXDOMAIN':
    case 'NXDOMAIN':
      return new MailsealError(
        'RecordChanged',
        `in the zone ${zone} something else stands than was seen before (${what})${nothingWritten}`,
      );
    case 'NOTAUTH':
      return new MailsealError('ZoneNotFound', `${server} is not the primary of the zone ${zone}`, stalled);
    case 'NOTZONE':
      return new MailsealError('ProviderRefused', `${server} does not hold ${what} in its zone ${zone}`, stalled);
    case 'REFUSED':
      return new MailsealError(
        'ProviderRefused',
        `${server} knows the key but does not let it change ${what}: widen the update policy of ${zone}`,
        stalled,
      );
    case 'SERVFAIL':
      return new MailsealError('ProviderUnavailable', `${server} failed to update ${zone} (SERVFAIL): see its log`);
    default:
      return new MailsealError('ProviderRefused', `${server} refused to change ${what} (${rcode})`, stalled);
  }
}
