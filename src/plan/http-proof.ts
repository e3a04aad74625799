/** HTTP-01 (RFC 8555 §8.3), by which the policy host alone is proven: the policy pods answer, since it leads to them. */
import type { Reason } from '../api/reasons.ts';
import type { AcmeMethod } from '../dns/caa.ts';
import type { OpenOrder } from './state.ts';

/** How a policy host is proven over HTTP, and what is seen of it. */
export interface ObservedHttp {
  /** The issuer wants the next order to be proven so. */
  readonly chosen: boolean;
  /** The installation has its policy pods answer challenges. */
  readonly on: boolean;
  /** Who does not show the answers to the open order yet, in words; undefined where nobody was asked. */
  readonly lagging: readonly string[] | undefined;
}

/** How the names of the next order are proven. */
export const methodOf = (http: ObservedHttp | undefined): AcmeMethod => (http?.chosen === true ? 'http-01' : 'dns-01');

interface Obstacle {
  readonly reason: Reason;
  readonly message: string;
}

/** Why nothing can be proven over HTTP here. */
export function httpOff(http: ObservedHttp | undefined, issuer: string): Obstacle | undefined {
  if (http === undefined || http.on) return undefined;
  const message = `CertificateIssuer ${issuer} has policy hosts proven by HTTP-01, and the policy pods of this installation answer no challenges: set policy.http01.enabled in the values of the chart, or challenge: DNS01 on the issuer`;
  return { reason: 'HTTP01Off', message };
}

/** Why the CA is not told yet that the answers are there; undefined where they are. */
export function httpObstacle(http: ObservedHttp | undefined, order: OpenOrder): Obstacle | undefined {
  const off = httpOff(http, order.issuer);
  if (off !== undefined) return off;
  const lagging = http?.lagging;
  if (lagging?.length === 0) return undefined;
  const who = lagging === undefined ? 'nobody was asked yet' : lagging.join('; ');
  return {
    reason: 'OrderPending',
    message: `the answer to the CA's HTTP-01 challenge is not seen everywhere yet: ${who}`,
  };
}

/** What the policy pods answer while an order wants it: by token. */
export function httpAnswers(order: OpenOrder | undefined): Readonly<Record<string, string>> | undefined {
  const pending = (order?.http ?? []).filter(({ status }) => status === 'pending');
  if (pending.length === 0) return undefined;
  return Object.fromEntries(pending.map(({ token, keyAuthorization }) => [token, keyAuthorization]));
}
