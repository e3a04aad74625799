/** The chain of a valid order, and others that the CA offers in its place (RFC 8555 §7.4.2). */
import { MailsealError } from '../errors.ts';
import { splitChain } from '../pki/certificate.ts';
import type { StoredOrder } from '../plan/state.ts';
import type { WireAnswer } from './acme-answer.ts';
import { titleOf } from './acme-order.ts';
import type { AcmeOrder } from './acme-read.ts';
import type { Wire } from './acme-wire.ts';

export interface FetchedChain {
  /** PEM, leaf first. */
  readonly chain: string;
  /** That it is not the one that is preferred, and which it is. */
  readonly note?: string;
}

/** A CA that offers more is asked for no more. */
const mostAlternates = 8;

/** The common name of whoever issued the topmost certificate; undefined also where the chain can't be read. */
function topOf(chain: string): string | undefined {
  try {
    const name = splitChain(chain).at(-1)?.issuer ?? '';
    return name
      .split('\n')
      .findLast((part) => part.startsWith('CN='))
      ?.slice(3);
  } catch {
    return undefined;
  }
}

/** RFC 8555 §7.4.2: links of the relation `alternate`. */
function alternatesOf({ headers }: WireAnswer, from: string): readonly string[] {
  const links = [...(headers['link'] ?? '').matchAll(/<([^<>]*)>\s*;[^<>]*?\brel="?alternate"?/gu)];
  return links.slice(0, mostAlternates).flatMap(([, place = '']) => URL.parse(place, from)?.href ?? []);
}

/**
 * The chain whose topmost certificate was issued by `preferred`, a common name; else the CA's own choice.
 * @throws MailsealError OrderInvalid, OrderPending, ACMEUnavailable where the CA sends no certificate.
 */
export async function fetchChain(
  wire: Wire,
  { names }: StoredOrder,
  order: AcmeOrder,
  preferred?: string,
): Promise<FetchedChain> {
  const { certificate: url, status } = order;
  const title = titleOf(names);
  if (status === 'invalid') throw new MailsealError('OrderInvalid', `The order for ${title} has failed at the CA.`);
  if (url === undefined)
    throw new MailsealError('OrderPending', `The CA has not made the certificate for ${title} yet.`);
  const fetch = (at: string): Promise<WireAnswer> =>
    wire.post({ url: at }, { resource: 'certificate', asked: `the certificate for ${title}` });
  /** What the CA refuses to give counts for nothing. */
  const textAt = async (at: string): Promise<string> => {
    try {
      const { data } = await fetch(at);
      return typeof data === 'string' ? data : '';
    } catch (error) {
      if (!(error instanceof MailsealError && error.reason === 'ACMERefused')) throw error;
      return '';
    }
  };
  const answer = await fetch(url);
  const { data: chain } = answer;
  if (typeof chain !== 'string' || !chain.includes('-----BEGIN CERTIFICATE-----')) {
    throw new MailsealError('ACMEUnavailable', `The CA sent something that is no certificate for ${title}.`);
  }
  if (preferred === undefined || topOf(chain) === preferred) return { chain };
  const tops = [topOf(chain)];
  for (const alternate of alternatesOf(answer, url)) {
    const other = await textAt(alternate);
    if (topOf(other) === preferred) return { chain: other };
    tops.push(topOf(other));
  }
  const offered = [...new Set(tops.flatMap((top) => top ?? []))].join(', ');
  return {
    chain,
    note: `the CA offers no chain up to ${preferred}, which spec.acme.preferredChain asks for, but to ${offered}`,
  };
}
