import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { connect } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bind, startBind } from './dns.ts';
import { startUnbound, type Unbound } from './dns-unbound.ts';
import { type Ca, type Certificate, createCa, writeBundle } from './mail-ca.ts';
import { addAddress, newFolder } from './namespace.ts';
import { type PostfixMx, startPostfixMx } from './postfix-mx.ts';
import { type PostfixSender, startPostfixSender } from './postfix-sender.ts';
import { waitFor } from './process.ts';

const at = {
  ns1: '10.53.0.1',
  ns2: '10.53.0.2',
  resolver: '10.53.0.3',
  mx4: '10.53.0.10',
  mx6: 'fd53::10',
  policy: '10.53.0.20',
};
const policy = (mx: string): string => `version: STSv1\nmode: enforce\nmx: ${mx}\nmax_age: 86400\n`;
/** Every domain has the one MX host; `stranger.test` has its policy host's certificate from a CA nobody trusts. */
const policies = new Map([
  ['example.test', policy('mx1.example.test')],
  ['wildcard.test', policy('*.example.test')],
  ['elsewhere.test', policy('mx.elsewhere.test')],
  ['stranger.test', policy('mx1.example.test')],
]);

let bind: Bind;
let unbound: Unbound;
let mx: PostfixMx;
let policyHost: Server;
let dane: PostfixSender;
let sts: PostfixSender;
let mxCertificate: Certificate;

beforeAll(async () => {
  for (const address of Object.values(at)) await addAddress(address);
  const dir = newFolder('mail');
  const [ca, stranger] = [await createCa(`${dir}/ca`), await createCa(`${dir}/stranger`, 'Stranger')];
  mxCertificate = await ca.issue({ path: `${dir}/mx1`, names: ['mx1.example.test'] });
  bind = await startBind({ dir: `${dir}/bind`, primary: { v4: at.ns1 }, secondary: { v4: at.ns2 }, zones: zones() });
  unbound = await startUnbound({
    dir: `${dir}/unbound`,
    addresses: [at.resolver],
    trustAnchors: bind.trustAnchors,
    stubs: [{ zone: 'test', servers: [at.ns1, at.ns2] }],
  });
  policyHost = await servePolicies(dir, ca, stranger);
  const domains = [...policies.keys()];
  const resolver = at.resolver;
  [mx, dane, sts] = await Promise.all([
    startPostfixMx({ dir: `${dir}/mx`, name: 'mx1.example.test', v4: at.mx4, v6: at.mx6, resolver, domains }),
    startPostfixSender({ dir: `${dir}/dane`, mode: 'dane-only', resolver }),
    startPostfixSender({ dir: `${dir}/sts`, mode: 'mta-sts', resolver, caFile: ca.caFile }),
  ]);
});

afterAll(async () => {
  await Promise.all([dane?.stop(), sts?.stop(), mx?.stop()]);
  policyHost?.close();
  await unbound?.stop();
  await bind?.stop();
});

function zones(): { name: string; records: string }[] {
  return [...policies.keys()].map((name) => ({
    name,
    records: [
      '@ MX 10 mx1.example.test.',
      '_mta-sts TXT "v=STSv1; id=1;"',
      `mta-sts A ${at.policy}`,
      ...(name === 'example.test' ? [`mx1 A ${at.mx4}`, `mx1 AAAA ${at.mx6}`] : []),
    ].join('\n'),
  }));
}

/** One policy host for all domains, by SNI. */
async function servePolicies(dir: string, ca: Ca, stranger: Ca): Promise<Server> {
  const contexts = new Map<string, SecureContext>();
  for (const domain of policies.keys()) {
    const issuer = domain === 'stranger.test' ? stranger : ca;
    const { cert, key } = await issuer.issue({ path: `${dir}/mta-sts.${domain}`, names: [`mta-sts.${domain}`] });
    contexts.set(`mta-sts.${domain}`, createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) }));
  }
  const server = createServer({ SNICallback: (name, done) => done(null, contexts.get(name)) }, (request, response) => {
    const body = policies.get((request.headers.host ?? '').replace('mta-sts.', ''));
    const found = request.url === '/.well-known/mta-sts.txt' && body !== undefined;
    response.writeHead(found ? 200 : 404, { 'content-type': 'text/plain' }).end(found ? body : '');
  });
  await once(server.listen(443, at.policy), 'listening');
  return server;
}

const message = (to: string): { from: string; to: string; subject: string } => ({
  from: 'somebody@sender.test',
  to,
  subject: 'a proof',
});

/** Replaces the TLSA set and makes the resolver forget the old one. */
async function publishTlsa(digest: string): Promise<void> {
  const name = '_25._tcp.mx1.example.test.';
  await bind.dynamicUpdate(`zone example.test\nupdate delete ${name} TLSA\nupdate add ${name} 5 TLSA 3 1 1 ${digest}`);
  await bind.settled('example.test');
  await unbound.flush('example.test');
}

function spkiDigest(pemFile: string): string {
  const { publicKey } = new X509Certificate(readFileSync(pemFile));
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

describe('a sender that insists on DANE', () => {
  test('defers mail as long as there is no TLSA record', async () => {
    const delivery = await dane.send(message('a@example.test'));
    expect(delivery).toMatchObject({ status: 'deferred', verified: false, reason: 'no TLSA records found' });
  });

  test('delivers over a verified channel to a self-made certificate that a TLSA record names', async () => {
    await publishTlsa(spkiDigest(mx.chainFile));
    const delivery = await dane.send(message('b@example.test'));
    expect(delivery).toMatchObject({ status: 'sent', verified: true });
    expect(delivery.log.join('\n')).toContain('Verified TLS connection established to mx1.example.test[');
    await waitFor('the MX host has taken it in', () => mx.received().some(({ to }) => to === 'b@example.test'));
  });

  test('defers mail when the TLSA record names another key', async () => {
    await publishTlsa('00'.repeat(32));
    const delivery = await dane.send(message('c@example.test'));
    expect(delivery).toMatchObject({ status: 'deferred', verified: false });
    expect(mx.received().map(({ to }) => to)).not.toContain('c@example.test');
  });

  test('defers mail when the zone is bogus, and delivers when it is secure again', async () => {
    await publishTlsa(spkiDigest(mx.chainFile));
    await bind.delegate('example.test', 'bogus');
    await unbound.flush('test');
    expect(await dane.send(message('d@example.test'))).toMatchObject({ status: 'deferred', verified: false });
    await bind.delegate('example.test', 'secure');
    await unbound.flush('test');
    expect(await dane.send(message('e@example.test'))).toMatchObject({ status: 'sent', verified: true });
  });
});

describe('an MX host', () => {
  test('is gone when it has stopped, and starts again where it was', async () => {
    await mx.stop();
    await expect(once(connect(25, at.mx4), 'connect')).rejects.toThrow('ECONNREFUSED');
    const { dir, name, resolver } = { dir: `${mx.configDir}/..`, name: mx.name, resolver: at.resolver };
    mx = await startPostfixMx({ dir, name, v4: at.mx4, v6: at.mx6, resolver, domains: [...policies.keys()] });
    expect(mx.received().map(({ to }) => to)).toContain('b@example.test');
  });
});

describe('a sender that follows MTA-STS', () => {
  test('defers mail to a certificate that nobody vouches for', async () => {
    const delivery = await sts.send(message('g@example.test'));
    expect(delivery).toMatchObject({ status: 'deferred', verified: false });
    expect(mx.received().map(({ to }) => to)).not.toContain('g@example.test');
  });

  test.each([
    ['delivers over a verified channel after a reload with a trusted certificate', 'example.test', 'sent', true],
    ['delivers over a verified channel where a pattern of the policy matches', 'wildcard.test', 'sent', true],
    ['defers mail when the policy names another MX host', 'elsewhere.test', 'deferred', false],
    ['delivers unverified where the policy host is not to be trusted', 'stranger.test', 'sent', false],
  ])('%s', async (_, domain, status, verified) => {
    writeBundle(mx.chainFile, mxCertificate);
    await mx.reload();
    expect(await sts.send(message(`f@${domain}`))).toMatchObject({ status, verified });
  });
});
