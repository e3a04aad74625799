/** CAA as BIND publishes it, Unbound validates it, and Pebble names itself in it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Acme, createAcme } from '../../src/apply/acme.ts';
import { newAccountKey } from '../../src/apply/acme-keys.ts';
import { createResolver, type TestedResolver } from '../../src/observe/dns/resolver.ts';
import { observeCaa } from '../../src/observe/caa.ts';
import { caaProblem, type ObservedCaa } from '../../src/plan/caa.ts';
import { type Bind, startBind } from '../lab/dns.ts';
import { startUnbound, type Unbound } from '../lab/dns-unbound.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { type Pebble, startPebble } from '../lab/pebble.ts';
import { toolPath } from '../lab/tools.ts';

const at = { ns1: '10.53.27.1', ns2: '10.53.27.2', resolver: '10.53.27.3', pebble: '10.53.27.5' };
const caaIdentity = 'pebble.lab';
let bind: Bind;
let unbound: Unbound;
let pebble: Pebble;
let resolver: TestedResolver;
let acme: Acme;
let accountUrl: string;

const records = [
  '@ CAA 0 issue "other.example"',
  '@ CAA 0 iodef "mailto:caa@example.test"',
  'open CAA 0 issue "pebble.lab"',
  'nobody CAA 0 issue ";"',
  'odd CAA 0 issue "pebble.lab; a quote \\" and more"',
  'wild CAA 0 issue "pebble.lab"',
  'wild CAA 0 issuewild ";"',
  'critical CAA 0 issue "pebble.lab"',
  'critical CAA 128 tbs "unknown"',
  'mine CAA 0 issue "pebble.lab; validationmethods=dns-01"',
  'http CAA 0 issue "pebble.lab; validationmethods=http-01"',
  'account CAA 0 issue "pebble.lab; accounturi=https://elsewhere.example/acct/1"',
  'alias CNAME open',
  'lost CNAME nothing.free.test.',
].join('\n');

beforeAll(async () => {
  for (const address of Object.values(at)) await addAddress(address);
  const dir = newFolder('caa');
  bind = await startBind({
    dir: `${dir}/bind`,
    primary: { v4: at.ns1 },
    secondary: { v4: at.ns2 },
    zones: [
      { name: 'example.test', records },
      { name: 'free.test' },
      { name: 'broken.test', security: 'bogus', records: '@ CAA 0 issue "pebble.lab"' },
    ],
  });
  unbound = await startUnbound({
    dir: `${dir}/unbound`,
    addresses: [at.resolver],
    trustAnchors: bind.trustAnchors,
    stubs: [{ zone: 'test', servers: [at.ns1, at.ns2] }],
  });
  resolver = createResolver({ view: 'outside', servers: [`udp://${at.resolver}:53`] });
  expect(await resolver.selfTest('example.test', 'broken.test')).toBe('Validating');
  const binary = toolPath('pebble');
  pebble = await startPebble({
    dir: `${dir}/pebble`,
    binary,
    address: at.pebble,
    dnsServer: at.resolver,
    caaIdentities: [caaIdentity],
  });
  acme = createAcme({
    directoryUrl: pebble.directoryUrl,
    caBundle: readFileSync(pebble.caFile, 'utf8'),
    accountKeyPem: newAccountKey(),
  });
  accountUrl = await acme.register({});
});
afterAll(async () => {
  await acme?.close();
  resolver?.close();
  await pebble?.stop();
  await unbound?.stop();
  await bind?.stop();
});

const look = (name: string): Promise<ObservedCaa> => observeCaa(resolver, acme, [name]);

describe('Pebble may issue for', () => {
  test.each([
    ['a name in a zone without CAA', 'mx.free.test'],
    ['a name that it is named for', 'open.example.test'],
    ['a name below that', 'mx.deep.open.example.test'],
    ['an alias of that', 'alias.example.test'],
    ['a name whose method is ours', 'mine.example.test'],
    ['a plain name where issuewild names nobody', 'wild.example.test'],
  ])('%s', async (_, name) => {
    expect(caaProblem(await look(name), 'dns-01')).toBeUndefined();
  });
});

describe('Pebble may not issue for', () => {
  test.each([
    ['a name below a set that names another', 'mta-sts.example.test', 'CAAForbids', 'CAA at example.test forbids'],
    ['an alias that leads to no set, below that set', 'lost.example.test', 'CAAForbids', 'CAA at example.test'],
    ['a name that nobody may issue for', 'nobody.example.test', 'CAAForbids', '0 issue ";"'],
    ['a name whose record breaks the grammar', 'odd.example.test', 'CAAForbids', 'a quote " and more'],
    ['a wildcard where issuewild names nobody', '*.wild.example.test', 'CAAForbids', '0 issuewild "pebble.lab;'],
    ['a name with an unknown critical record', 'critical.example.test', 'CAAForbids', '128 tbs "unknown"'],
    ['a name whose method is another', 'http.example.test', 'CAAForbids', 'other methods than dns-01'],
    ['a name whose account is another', 'account.example.test', 'CAAForbids', 'for another account only'],
    ['a name in a zone with broken DNSSEC', 'mx.broken.test', 'ZoneBogus', 'DNSSEC is broken'],
  ])('%s', async (_, name, reason, words) => {
    expect(caaProblem(await look(name), 'dns-01')).toMatchObject({ reason, message: expect.stringContaining(words) });
  });
});

test('the record that a message spells out is what lets the order go on', async () => {
  const problem = caaProblem(await look('account.example.test'), 'dns-01');
  const [, record] = /example\.test: (0 issue "[^"]+")/u.exec(problem?.message ?? '') ?? [];
  expect(record).toContain(`${caaIdentity}; accounturi=${accountUrl}`);
  await bind.dynamicUpdate(`zone example.test\nupdate add account.example.test. 5 CAA ${record}`, 'tsig');
  await bind.settled('example.test');
  await unbound.flush('example.test');
  expect(caaProblem(await look('account.example.test'), 'dns-01')).toBeUndefined();
});
