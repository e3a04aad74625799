/** What goes wrong between the operator and the CA. */
import type { SecretObject } from '../../../src/kube/types.ts';
import { type CaAnswer, type CaMeddling, drip } from '../ca-relay.ts';
import { tenant } from '../cluster.ts';
import { makeCa } from '../../pki/certificates.ts';
import { accountFaults } from './acme-account.ts';
import { anotherCa } from './another-ca.ts';
import { suggestedFaults } from './acme-suggested.ts';
import type { Fault, Stage } from './fault.ts';
import { asUndisturbed, trial } from './trial.ts';

const meddle =
  (meddling: CaMeddling) =>
  ({ lane }: Stage) =>
    lane.ways.ca.meddle(meddling);

const json = { 'content-type': 'application/json' };
const problem = (status: number, type: string, detail: string, headers: object = {}): CaAnswer => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail }),
});

/** Says so to every request that opens an order. */
const throttled =
  (headers: object): CaMeddling =>
  (request, pass) =>
    request.what === 'order-plz' ? Promise.resolve(problem(429, 'rateLimited', 'too many orders', headers)) : pass();

/** Two requests of five fail before the CA sees them, without any order in it, as with web servers in trouble. */
function oftenFailing(): CaMeddling {
  let seen = 0;
  const failures: readonly CaAnswer[] = [
    { status: 500, headers: { 'content-type': 'text/html' }, body: '<html>oops</html>' },
    { status: 502, headers: {}, body: '' },
    problem(500, 'serverInternal', 'the database is away'),
  ];
  return (_, pass) => {
    seen += 1;
    const chance = Math.imul(seen, 2_654_435_761) >>> 0;
    const failure = chance % 5 < 2 ? failures[seen % failures.length] : undefined;
    return failure === undefined ? pass() : Promise.resolve(failure);
  };
}

/** Of each kind of request that makes the CA act, the answer to the first is lost. */
function firstAnswersLost({ lane }: Stage): void {
  const lost = new Set<string>();
  const acting = ['sign-me-up', 'order-plz', 'chalZ', 'finalize-order', 'certZ'];
  lane.ca.setFault(({ path }) => {
    const what = path.split('/')[1] ?? '';
    if (!acting.includes(what) || lost.has(what)) return undefined;
    lost.add(what);
    return { do: 'lose' };
  });
}

/** The first order is no longer known; of the second an authorization was deactivated before it was used. */
function ordersSpoilt(): CaMeddling {
  const places: string[] = [];
  return async (request, pass) => {
    const answer = await pass();
    if (request.what === 'order-plz' && answer.status === 201) places.push(String(answer.headers.location));
    const [gone, deactivated] = places;
    const read = (place: string | undefined): boolean => place?.endsWith(request.path) === true;
    if (request.what !== 'my-order') return answer;
    if (read(gone)) return problem(404, 'malformed', 'no such order');
    if (!read(deactivated)) return answer;
    const order = { ...(JSON.parse(answer.body) as object), status: 'invalid' };
    const error = { type: 'urn:ietf:params:acme:error:unauthorized', detail: 'an authorization was deactivated' };
    return { ...answer, body: JSON.stringify({ ...order, error }) };
  };
}

const answerOf =
  (body: string, headers: object = json): CaMeddling =>
  () =>
    Promise.resolve({ status: 200, headers: { ...headers }, body });

/** Certificates that nobody asked for: of another host, and of another key, in place of the first two. */
async function otherCertificates({ lane, domain }: Stage): Promise<void> {
  const ca = await makeCa('another CA');
  const chain = async (names: readonly string[]): Promise<string> => (await ca.issue({ names })).cert;
  const bodies = [await chain(['mx.example.net']), await chain([`mx.${domain}`, `mta-sts.${domain}`])];
  lane.ways.ca.meddle(async (request, pass) => {
    const answer = await pass();
    const body = request.what === 'certZ' && answer.status === 200 ? bodies.shift() : undefined;
    return body === undefined ? answer : { ...answer, body };
  });
}

/** I7: no Secret that hosts mount was written. */
async function nothingInstalled({ lane }: Stage): Promise<readonly string[]> {
  const secrets = await lane.kube.list<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace: tenant });
  return secrets
    .filter(({ type }) => type === 'kubernetes.io/tls')
    .map(({ metadata: { name } }) => `${name} was written while the CA gave certificates of others`);
}

/** The CA is another one as soon as it has opened the orders that are wanted. */
async function replaced(stage: Stage): Promise<void> {
  const { ca } = stage.lane.ways;
  const other = await anotherCa(stage, { intermediates: 2 });
  let orders = 0;
  ca.meddle(async (request, pass) => {
    const answer = await pass();
    if (request.what !== 'order-plz' || answer.status !== 201) return answer;
    orders += 1;
    if (orders === 2) ca.lead(other);
    return answer;
  });
}

const anotherRoot = 'the root of another CA is trusted from the middle of the row on';

export const acmeFaults: readonly Fault[] = [
  trial({
    name: 'acme-nonces',
    excuses: { I14: anotherRoot },
    fault: 'the CA refuses nine nonces of ten (badNonce)',
    holds: asUndisturbed,
    when: 'new',
    lasting: true,
    troubles: [{ make: async (stage) => stage.lane.ways.ca.lead(await anotherCa(stage, { nonceRejectPercent: 90 })) }],
  }),
  trial({
    name: 'acme-throttled',
    fault: 'the CA answers 429, with Retry-After and without',
    holds: `it is said, and the CA is left alone until then; afterwards ${asUndisturbed}`,
    quick: true,
    when: 'new',
    troubles: [
      {
        make: meddle(throttled({ 'retry-after': '4' })),
        says: [{ kind: 'MailExchanger', reason: 'ACMEThrottled', words: /asks us to wait .* too many orders/u }],
      },
      { make: meddle(throttled({})), says: [{ reason: 'ACMEThrottled', words: /asks us to wait/u }] },
    ],
  }),
  trial({
    name: 'acme-failing',
    fault: 'two of five requests to the CA are answered with 500 or 502',
    holds: asUndisturbed,
    when: 'new',
    lasting: true,
    troubles: [{ make: (stage) => stage.lane.ways.ca.meddle(oftenFailing()) }],
  }),
  trial({
    name: 'acme-answers-lost',
    excuses: { I6: 'the place of an order was never told' },
    fault: 'answers are lost after the CA acted: account, order, challenge, finalize, certificate',
    holds: `${asUndisturbed}; an order whose place was never told is opened again`,
    when: 'new',
    lasting: true,
    troubles: [{ make: firstAnswersLost }],
  }),
  trial({
    name: 'acme-orders-spoilt',
    excuses: { I6: 'the orders that are stored are of no use any more' },
    fault: 'an order is lost at the CA, and an authorization of another deactivated',
    holds: 'it is said; new orders are opened after a minute, and all is as in an undisturbed run',
    when: 'new',
    troubles: [
      {
        make: (stage) => stage.lane.ways.ca.meddle(ordersSpoilt()),
        says: [
          {
            kind: 'MailExchanger',
            type: 'CertificateReady',
            reason: 'OrderInvalid',
            words: /no longer knows|deactivated/u,
          },
          { type: 'PolicyServed', reason: 'OrderInvalid', words: /no longer knows|deactivated/u },
        ],
      },
    ],
  }),
  trial({
    name: 'acme-unreachable',
    fault: 'the CA can not be reached for the whole time',
    holds: `it is said, and nothing is published that depends on it; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      {
        make: meddle(() => Promise.resolve((response) => void response.destroy())),
        says: [
          { kind: 'MailExchanger', reason: 'ACMEUnavailable', words: /can't be reached/u },
          { reason: 'ACMEUnavailable', words: /can't be reached/u },
        ],
      },
    ],
  }),
  trial({
    name: 'acme-garbage',
    fault: 'the CA answers with broken JSON, with 2 MiB, with JSON of another shape',
    holds: `each is said; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      [answerOf('{"newNonce":'), /it is no JSON/u] as const,
      [answerOf(JSON.stringify({ pad: 'x'.repeat(2 ** 21) })), /longer than 1 MiB/u] as const,
      [answerOf('null'), /gives no ACME directory/u] as const,
    ].map(([meddling, words]) => ({ make: meddle(meddling), says: [{ reason: 'ACMEUnavailable', words }] })),
  }),
  trial({
    name: 'acme-slow',
    fault: 'the CA answers one byte a second (slow loris)',
    holds: `it is said after half a minute; afterwards ${asUndisturbed}`,
    when: 'new',
    troubles: [
      { make: meddle(() => Promise.resolve(drip)), says: [{ reason: 'ACMEUnavailable', words: /within 30 s/u }] },
    ],
  }),
  trial({
    name: 'acme-other-certificates',
    fault: 'the CA issues for another host, and for another key',
    holds: 'they are refused and never installed; a minute later new ones are ordered',
    when: 'new',
    tolerates: /4 orders were finalized for 2/u,
    troubles: [
      {
        make: otherCertificates,
        says: [
          { kind: 'MailExchanger', type: 'CertificateReady', reason: 'OrderInvalid', words: /can't be used/u },
          { type: 'PolicyServed', reason: 'OrderInvalid', words: /can't be used/u },
        ],
        meanwhile: nothingInstalled,
      },
    ],
  }),
  trial({
    name: 'acme-replaced',
    excuses: { I6: 'the orders that are stored are of no use any more', I14: anotherRoot },
    fault: 'the CA forgets accounts and orders, and issues from another root by other intermediates',
    holds: 'the account is registered again with its key, new orders are opened, and all is as in an undisturbed run',
    when: 'new',
    troubles: [
      {
        make: replaced,
        says: [{ type: 'PolicyServed', reason: 'OrderInvalid', words: /no longer knows/u }],
      },
    ],
    lasting: true,
  }),
  ...accountFaults,
  ...suggestedFaults,
];
