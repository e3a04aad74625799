import { Agent } from 'node:https';
import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import acme from 'acme-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bind, startBind } from './dns.ts';
import { startUnbound, type Unbound } from './dns-unbound.ts';
import { addAddress, newFolder } from './namespace.ts';
import { type Pebble, startPebble } from './pebble.ts';
import { toolPath } from './tools.ts';

const at = { ns1: '10.53.0.1', ns2: '10.53.0.2', resolver: '10.53.0.3', pebble: '10.53.0.5' };

let bind: Bind;
let unbound: Unbound;
let pebble: Pebble;

beforeAll(async () => {
  for (const address of Object.values(at)) await addAddress(address);
  const dir = newFolder('pebble');
  const zones = [{ name: 'example.test' }];
  bind = await startBind({ dir: `${dir}/bind`, primary: { v4: at.ns1 }, secondary: { v4: at.ns2 }, zones });
  unbound = await startUnbound({
    dir: `${dir}/unbound`,
    addresses: [at.resolver],
    trustAnchors: bind.trustAnchors,
    stubs: [{ zone: 'test', servers: [at.ns1, at.ns2] }],
  });
  pebble = await startPebble({
    dir: `${dir}/pebble`,
    binary: toolPath('pebble'),
    address: at.pebble,
    dnsServer: at.resolver,
    validitySeconds: { default: 3600 },
  });
});

afterAll(async () => {
  await pebble?.stop();
  await unbound?.stop();
  await bind?.stop();
});

test('its directory is shown only to who trusts the lab', async () => {
  await expect(fetch(pebble.directoryUrl)).rejects.toThrow();
  expect(pebble.requests()).toEqual([]);
});

test('a certificate is issued by DNS-01 through the lab, for the time that was asked for', async () => {
  acme.axios.defaults.httpsAgent = new Agent({ ca: readFileSync(pebble.caFile) });
  const client = new acme.Client({
    directoryUrl: pebble.directoryUrl,
    accountKey: await acme.crypto.createPrivateEcdsaKey(),
  });
  const [, csr] = await acme.crypto.createCsr({ altNames: ['mx1.example.test'] });
  const record = '_acme-challenge.mx1.example.test.';
  const chain = await client.auto({
    csr,
    termsOfServiceAgreed: true,
    challengePriority: ['dns-01'],
    skipChallengeVerification: true,
    challengeCreateFn: async (_authz, _challenge, value) => {
      await bind.dynamicUpdate(`zone example.test\nupdate add ${record} 5 TXT "${value}"`, 'tsig');
      await bind.settled('example.test');
    },
    challengeRemoveFn: () => bind.dynamicUpdate(`zone example.test\nupdate delete ${record} TXT`, 'tsig'),
  });
  const [leaf = '', intermediate = ''] = chain.split(/(?<=-----END CERTIFICATE-----\n)/);
  const [certificate, issuer] = [new X509Certificate(leaf), new X509Certificate(intermediate)];
  expect(certificate.subjectAltName).toBe('DNS:mx1.example.test');
  expect(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)).toBe(true);
  expect(issuer.verify(new X509Certificate(await pebble.rootPem()).publicKey)).toBe(true);
  const seconds = (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / 1000;
  expect(Math.round(seconds)).toBeGreaterThanOrEqual(3599);
  expect(Math.round(seconds)).toBeLessThanOrEqual(3601);
  expect(bind.updates('example.test')).toBe(2);
  expect(pebble.requests().filter((request) => request === 'POST /order-plz')).toHaveLength(1);
});
