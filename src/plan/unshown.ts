/** A record set that stands in the provider's own eyes, and that not all authoritative servers show. */
import { type RecordProblem, recordKey, type Unshown, type WantedSet } from './record-view.ts';

/** The problem in words: which servers, what they do, and what the administrator should do about it. */
export function unshown(
  wanted: WantedSet,
  { kind, why }: { readonly kind: Unshown; readonly why: string },
): RecordProblem {
  const record = recordKey(wanted);
  const where =
    kind === 'NotApplied'
      ? 'stands at the provider, and no name server shows it yet'
      : 'is not yet at all name servers';
  return { record, reason: kind, message: `${record} ${where}: ${why}. ${mendOf(kind, wanted)}` };
}

function mendOf(kind: Unshown, { provider, settleSeconds }: WantedSet): string {
  switch (kind) {
    case 'ServerLame':
      return 'Make that server serve the zone, or take it out of the NS records and the delegation';
    case 'ServerFailing':
      return 'See the log of that server: it knows the zone, and fails to answer from it';
    case 'ServerSilent':
      return 'Let this cluster reach every server of the zone, or take it out of the NS records and the delegation';
    case 'ServerLagging':
      return 'Check zone transfers to that server if it lasts';
    case 'NotApplied': {
      const settle = settleSeconds === 0 ? '' : ` beyond the ${settleSeconds} s that ${provider} takes to settle`;
      return `If it lasts${settle}, see at ${provider} why its servers do not load the change`;
    }
  }
}
