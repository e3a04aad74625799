/** Asks for the answer to an HTTP-01 challenge as a CA does (RFC 8555 §8.3), from an address that the caller names. */
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { messageOf } from '../errors.ts';
import type { OrderView } from '../plan/certificate.ts';
import type { ObservedHttp } from '../plan/http-proof.ts';
import type { HttpAuthorization, State } from '../plan/state.ts';
import type { World } from '../world.ts';
import type { IssuerApi } from '../apply/issuers.ts';
import { wantsProof } from './certificate.ts';

export interface ChallengeQuestion {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly token: string;
}

/** Never rejects: what went wrong is said in words. */
export type AskChallenge = (
  question: ChallengeQuestion,
) => Promise<{ readonly answer: string } | { readonly problem: string }>;

const mostBytes = 1024;
/** Of the Internet; CAs ask nowhere else. */
const httpPort = 80;

async function read(response: IncomingMessage): ReturnType<AskChallenge> {
  const status = response.statusCode ?? 0;
  if (status !== 200) return { problem: `answers ${status}, not 200` };
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) return { problem: `answers with more than ${mostBytes} bytes` };
    chunks.push(chunk);
  }
  // RFC 8555 §8.3: the CA passes over white space at the end.
  return { answer: Buffer.concat(chunks).toString('latin1').trimEnd() };
}

/** One question over one connection; no redirect is followed. */
export const askChallenge =
  (timeoutMs: number): AskChallenge =>
  ({ host, address, port, token }) => {
    const path = `/.well-known/acme-challenge/${token}`;
    const headers = { host, 'user-agent': 'mailseal', connection: 'close' };
    const signal = AbortSignal.timeout(timeoutMs);
    const call = request({ host: address, port, path, headers, agent: false, signal });
    const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<AskChallenge>>>();
    const fail = (error: unknown): void =>
      resolve({ problem: signal.aborted ? `gives no whole answer within ${timeoutMs / 1000} s` : messageOf(error) });
    call.once('error', fail);
    call.once('response', (response) => void read(response).then(resolve, fail));
    call.end();
    return promise.finally(() => call.destroy());
  };

type Asker = Pick<World, 'cache' | 'challenges' | 'outside' | 'allow'>;

/** Why an address does not show the answers, in words; undefined where it does. */
async function problemAt(
  { challenges }: Asker,
  { address, port }: Pick<ChallengeQuestion, 'address' | 'port'>,
  wanted: readonly HttpAuthorization[],
): Promise<string | undefined> {
  for (const { name, token, keyAuthorization } of wanted) {
    const seen = await challenges.ask({ host: name, address, port, token });
    if ('problem' in seen) return seen.problem;
    if (seen.answer !== keyAuthorization) return 'answers something else';
  }
  return undefined;
}

/** Every policy pod that exists, ready or not: the CA may come to each. */
async function laggingPods(
  world: Asker,
  port: number,
  wanted: readonly HttpAuthorization[],
): Promise<readonly string[]> {
  const pods = world.cache.policyPods();
  if (pods.length === 0) return ['there is no policy pod'];
  const all = pods.map(async ({ name, ip }) => {
    const problem = ip === undefined ? 'has no address yet' : await problemAt(world, { address: ip, port }, wanted);
    return problem === undefined ? [] : [`pod ${name} ${problem}`];
  });
  return (await Promise.all(all)).flat();
}

/** By every address that the world sees, as the CA will come. */
async function laggingOutside(
  world: Asker,
  host: string,
  wanted: readonly HttpAuthorization[],
): Promise<readonly string[]> {
  const answers = await Promise.all([world.outside.lookup(host, 'A'), world.outside.lookup(host, 'AAAA')]);
  // The CA may come by whatever could not be looked up.
  const unknown = answers.find(({ outcome }) => !['Found', 'NoData', 'NxDomain'].includes(outcome));
  if (unknown !== undefined)
    return [`the ${unknown.type} records of ${host} can't be looked up: ${unknown.detail ?? unknown.outcome}`];
  const addresses = answers.flatMap(({ outcome, values }) => (outcome === 'Found' ? values : []));
  if (addresses.length === 0) return [`no address of ${host} is seen from outside yet`];
  const all = addresses.map(async (address) => {
    if (!world.allow.permits(address)) return [`${address} is not an address of the public Internet`];
    const problem = await problemAt(world, { address, port: httpPort }, wanted);
    return problem === undefined ? [] : [`port ${httpPort} of the published address ${address} ${problem}`];
  });
  return (await Promise.all(all)).flat();
}

/** What a policy host's proof over HTTP is planned from; undefined where neither issuer nor order has to do with it. */
export async function observeHttp(
  world: Asker,
  issuer: IssuerApi,
  state: State | undefined,
  view: OrderView | undefined,
): Promise<ObservedHttp | undefined> {
  const chosen = issuer.kind === 'acme' && issuer.challenge === 'HTTP01';
  const authorizations = state?.order?.http;
  const { port } = world.challenges;
  if (!chosen && authorizations === undefined) return undefined;
  const wanted = (authorizations ?? []).filter(({ status }) => status === 'pending');
  const [first] = wanted;
  if (port === undefined || authorizations === undefined || !wantsProof(view))
    return { chosen, on: port !== undefined, lagging: undefined };
  if (first === undefined) return { chosen, on: true, lagging: [] };
  const pods = await laggingPods(world, port, wanted);
  const lagging = pods.length > 0 ? pods : await laggingOutside(world, first.name, wanted);
  return { chosen, on: true, lagging };
}
