import type { Signature } from './answer.ts';
import { algorithmName } from './dnssec.ts';

/** What a server shows of the signatures at the apex, and how new its copy of the zone is. */
interface SignedView {
  readonly place: string;
  readonly serial: number | undefined;
  readonly keySignatures: readonly Signature[];
  readonly soaSignatures: readonly Signature[] | undefined;
}

const twoDaysMs = 2 * 86_400_000;

/**
 * Milliseconds before its end from which on a signature counts as ending. Signers renew with a quarter to a half of the
 * validity left, those that sign as they are asked with half of a day or two: less than a fifth means that nobody does.
 * Two days are enough for whoever signs by hand a month ahead.
 */
const soonMs = ({ inception, expiration }: Signature): number => Math.min(twoDaysMs, (expiration - inception) / 5);

/** RFC 1982 §3.2: whether serial `a` is older than `b`. */
function isOlder(a: number, b: number): boolean {
  const ahead = (b - a) >>> 0;
  return ahead > 0 && ahead < 0x8000_0000;
}

/** The servers whose copy of the zone is older than that of another, with both serials. */
export function behind(
  views: readonly Pick<SignedView, 'place' | 'serial'>[],
): ReadonlyMap<string, { readonly serial: number; readonly newest: number }> {
  const serials = views.flatMap(({ serial }) => (serial === undefined ? [] : [serial]));
  const newest = serials.reduce((best, one) => (isOlder(best, one) ? one : best), serials[0] ?? 0);
  return new Map(
    views.flatMap(({ place, serial }) =>
      serial !== undefined && isOlder(serial, newest) ? [[place, { serial, newest }] as const] : [],
    ),
  );
}

/** Signatures over SOA and DNSKEY that have ended, or are about to, by server. */
export function endingSignatures(
  views: readonly SignedView[],
  now: number,
): readonly { readonly urgent: true; readonly text: string }[] {
  const late = behind(views);
  return views.flatMap((view) =>
    [
      { over: 'DNSKEY', signatures: view.keySignatures },
      { over: 'SOA', signatures: view.soaSignatures ?? [] },
    ].flatMap(({ over, signatures }) =>
      lastByAlgorithm(signatures).flatMap((last) => {
        if (now < last.expiration - soonMs(last)) return [];
        const verb = now < last.expiration ? 'ends' : 'ended';
        const when = `${verb} at ${new Date(last.expiration).toISOString()}`;
        const serials = late.get(view.place);
        const why =
          serials === undefined
            ? ''
            : `, and its zone is old (serial ${serials.serial}, elsewhere ${serials.newest}): its transfers fail`;
        const text = `the ${algorithmName(last.algorithm)} signature over ${over} at ${view.place} ${when}${why}`;
        return [{ urgent: true as const, text }];
      }),
    ),
  );
}

/** While a zone is signed anew the old signature may stand beside the new one; one of each algorithm is enough. */
function lastByAlgorithm(signatures: readonly Signature[]): readonly Signature[] {
  return [...Map.groupBy(signatures, ({ algorithm }) => algorithm).values()].map((group) =>
    group.reduce((last, one) => (one.expiration > last.expiration ? one : last)),
  );
}
