import { createServer, type Server } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server as TcpServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { IssuerApi } from '../../src/apply/issuers.ts';
import { type AskChallenge, askChallenge, observeHttp } from '../../src/observe/challenge.ts';
import { createAddressPolicy } from '../../src/observe/dns/address.ts';
import type { OrderView } from '../../src/plan/certificate.ts';
import type { State } from '../../src/plan/state.ts';
import type { World } from '../../src/world.ts';
import type { QueryType } from '../../src/dns/answer.ts';
import { fakeResolver, type FakeWorld } from '../fakes/resolver.ts';
import { domainState } from '../plan/cases.ts';
import { httpOrder } from '../plan/certificate-world.ts';
import { silent } from '../reconcile/retirement-scene.ts';

const host = 'mta-sts.example.com';
let server: Server | TcpServer | undefined;
afterEach(() => new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve))));

async function listening(one: Server | TcpServer): Promise<number> {
  server = one;
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
  return (one.address() as AddressInfo).port;
}
const ask = (port: number): ReturnType<AskChallenge> =>
  askChallenge(300)({ host, address: '127.0.0.1', port, token: 'token-1' });

describe('an answer over HTTP', () => {
  test('is asked for at the path of its token, in the name of the host, and read without the space at its end', async () => {
    const asked: string[] = [];
    const port = await listening(
      createServer((request, response) => {
        asked.push(`${request.method} ${request.headers.host} ${request.url}`);
        response.end('token-1.print\n');
      }),
    );
    expect(await ask(port)).toEqual({ answer: 'token-1.print' });
    expect(asked).toEqual([`GET ${host} /.well-known/acme-challenge/token-1`]);
  });

  test.each<readonly [string, (port: () => number) => Server | TcpServer, RegExp]>([
    ['of another status', () => createServer((_, response) => response.writeHead(404).end()), /answers 404, not 200/u],
    [
      'that leads elsewhere',
      (port) =>
        createServer((_, response) => response.writeHead(301, { location: `http://127.0.0.1:${port()}/` }).end()),
      /answers 301/u,
    ],
    ['that does not end', () => createServer((_, response) => response.end('x'.repeat(2000))), /more than 1024 bytes/u],
    ['that does not come', () => createServer(() => undefined), /no whole answer within 0\.3 s/u],
    ['that stops in the middle', () => createServer((_, response) => response.write('token')), /no whole answer/u],
    [
      'that is no HTTP',
      () =>
        createTcp((socket) =>
          socket
            .on('error', () => {})
            .resume()
            .end('SSH-2.0\r\n'),
        ),
      /Parse Error/u,
    ],
  ])('%s is none, and says so', async (_, make, words) => {
    let port = 0;
    port = await listening(make(() => port));
    expect(await ask(port)).toEqual({ problem: expect.stringMatching(words) });
    if (server !== undefined && 'closeAllConnections' in server) server.closeAllConnections();
  });

  test('of nobody says so', async () => {
    const port = await listening(createTcp());
    await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    expect(await ask(port)).toEqual({ problem: expect.stringContaining('ECONNREFUSED') });
  });
});

describe('the proof over HTTP is seen', () => {
  const issuer = { kind: 'acme', name: 'ca', acme: silent, challenge: 'HTTP01' } as const;
  const state = domainState({ order: httpOrder() });
  const right = 'token-1.print';

  /** Pods and published addresses by IP, with what they answer; a pod `x` has no address. */
  interface Sight {
    readonly pods: Readonly<Record<string, string | undefined>>;
    readonly records: FakeWorld['records'];
    readonly outside: Readonly<Record<string, string | undefined>>;
    readonly port: number | undefined;
    readonly of: IssuerApi;
    readonly at: State;
    readonly view: OrderView;
    /** The type that name servers fail to answer. */
    readonly failing?: 'AAAA';
  }
  const usual: Sight = {
    pods: { '10.0.0.1': right, '10.0.0.2': right },
    records: { [`${host} A`]: ['192.0.2.7'] },
    outside: { '192.0.2.7': right },
    port: 8080,
    of: issuer,
    at: state,
    view: { status: 'created' },
  };

  async function look(change: Partial<Sight> = {}) {
    const { pods, records, outside, port, of, at, view, failing } = { ...usual, ...change };
    const asked: string[] = [];
    const question: AskChallenge = async (target) => {
      asked.push(`${target.address}:${target.port}`);
      const answer = (target.port === 80 ? outside : pods)[target.address];
      return answer === undefined ? { problem: 'connection refused' } : { answer };
    };
    const policyPods = () =>
      Object.keys(pods).map((ip) => ({ name: `p-${ip}`, uid: ip, ip: ip === 'x' ? undefined : ip }));
    const working = fakeResolver({ records });
    const broken = fakeResolver({ records, failing: { [host]: 'ServFail' } });
    const world = {
      cache: { policyPods },
      challenges: { port, ask: question },
      outside: { lookup: (name: string, type: QueryType) => (type === failing ? broken : working).lookup(name, type) },
      allow: createAddressPolicy(['192.0.2.0/24', '2001:db8::/32']),
    } as unknown as World;
    return { http: await observeHttp(world, of, at, view), asked };
  }

  test('where every pod and every published address answers', async () => {
    const records = { [`${host} A`]: ['192.0.2.7'], [`${host} AAAA`]: ['2001:db8::7'] };
    const { http, asked } = await look({ records, outside: { '192.0.2.7': right, '2001:db8::7': right } });
    expect(http).toEqual({ chosen: true, on: true, lagging: [] });
    expect(asked.toSorted()).toEqual(['10.0.0.1:8080', '10.0.0.2:8080', '192.0.2.7:80', '2001:db8::7:80']);
  });

  test.each<readonly [string, Partial<Sight>, string]>([
    [
      'a pod does not answer',
      { pods: { '10.0.0.1': right, '10.0.0.2': undefined } },
      'pod p-10.0.0.2 connection refused',
    ],
    ['a pod answers an older order', { pods: { '10.0.0.1': 'old.print' } }, 'pod p-10.0.0.1 answers something else'],
    ['a pod has no address yet', { pods: { x: undefined } }, 'pod p-x has no address yet'],
    ['there is no pod', { pods: {} }, 'there is no policy pod'],
    [
      'some of its addresses can’t be looked up, at which the CA may ask',
      { failing: 'AAAA' },
      `the AAAA records of ${host} can't be looked up: ServFail by the test`,
    ],
    ['the host has no address yet', { records: {} }, `no address of ${host} is seen from outside yet`],
    [
      'the published address is closed',
      { outside: {} },
      'port 80 of the published address 192.0.2.7 connection refused',
    ],
    [
      'the published address is a private one',
      { records: { [`${host} A`]: ['10.9.9.9'] } },
      '10.9.9.9 is not an address of the public Internet',
    ],
  ])('not where %s', async (_, change, words) => {
    expect((await look(change)).http?.lagging).toEqual([words]);
  });

  test('from outside only when the pods are right', async () => {
    expect((await look({ pods: { '10.0.0.1': undefined } })).asked).toEqual(['10.0.0.1:8080']);
  });

  test.each<readonly [string, Partial<Sight>]>([
    ['before there is an order', { at: domainState() }],
    ['when the CA has been told', { view: { status: 'pending', answered: true } }],
    ['where the pods answer no challenges', { port: undefined }],
  ])('by nobody %s', async (_, change) => {
    const { http, asked } = await look(change);
    expect(asked).toEqual([]);
    expect(http?.lagging).toBeUndefined();
  });

  test('as no matter of an issuer that proves in the DNS, but for the order that is open', async () => {
    const { challenge: _, ...dns } = issuer;
    expect((await look({ of: dns, at: domainState() })).http).toBeUndefined();
    expect((await look({ of: dns })).http).toEqual({ chosen: false, on: true, lagging: [] });
  });
});
