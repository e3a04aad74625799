/** What the requests of an order have in common. */
import { MailsealError } from '../errors.ts';
import type { AcmeMethod } from '../dns/caa.ts';
import type { HttpAuthorization, StoredOrder } from '../plan/state.ts';
import { type AcmeProblem, readProblem } from './acme-problem.ts';
import { type AcmeOrder, readAuthorization } from './acme-read.ts';
import type { Wire } from './acme-wire.ts';

/** The names of an order, for messages. */
export function titleOf(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** Also an order of another account is lost to us, as where that account's key was lost. */
export function isGone(error: unknown): boolean {
  const cause = error instanceof MailsealError ? (error.cause as Partial<AcmeProblem> | undefined) : undefined;
  return cause?.status === 404 || (cause?.status === 403 && cause.type === 'unauthorized');
}

/** Why an order failed: the problem of the challenge that did, else its own, `problem`. */
export async function whyInvalid(wire: Wire, order: StoredOrder, problem: unknown): Promise<string> {
  const reasons = await Promise.all(
    [...order.authorizations, ...(order.http ?? [])].map(async ({ url, name }) => {
      const { data } = await wire.post({ url }, { resource: 'authorization', asked: `the reason for ${name}` });
      const read = readAuthorization(url, data, order.http === undefined ? 'dns-01' : 'http-01');
      if (read.problem !== undefined) return `${name}: ${readProblem(read.problem).detail}`;
      return read.status === 'invalid' ? `${name}: the proof failed` : '';
    }),
  );
  const known = reasons.filter((reason) => reason !== '');
  if (known.length > 0) return known.join('; ');
  return problem === undefined ? 'the CA gives no reason' : readProblem(problem).detail;
}

/** The challenges of an order, each as it is stored for the method by which it is proven. */
export async function readChallenges(
  wire: Wire,
  { authorizations: places }: Pick<AcmeOrder, 'authorizations'>,
  names: readonly string[],
  method: AcmeMethod,
): Promise<Pick<StoredOrder, 'authorizations' | 'http'>> {
  const read = await Promise.all(
    places.map(async (url) => {
      const ask = { resource: 'authorization', asked: `an authorization for ${titleOf(names)}` } as const;
      return readAuthorization(url, (await wire.post({ url }, ask)).data, method);
    }),
  );
  if (method === 'dns-01') {
    const dns = read.map(async ({ token, ...rest }) => ({ ...rest, txtValue: await wire.txtValue(token) }));
    return { authorizations: await Promise.all(dns) };
  }
  const http = read.map(async ({ name, url, challengeUrl, status, token }): Promise<HttpAuthorization> => {
    return { name, url, challengeUrl, status, token, keyAuthorization: await wire.keyAuthorization(token) };
  });
  return { authorizations: [], http: await Promise.all(http) };
}
