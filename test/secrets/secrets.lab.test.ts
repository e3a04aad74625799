/**
 * No secret is ever written where others read: an operator at its most talkative serves one domain, and fails at others in
 * ways that make libraries talk; then logs, Events, conditions and metrics are searched for every secret there is.
 */
import { createPrivateKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import { agentName, attestationDataKey, attestationLabel, exchangerLabel } from '../../src/api/attestation.ts';
import { apiVersion, type Condition } from '../../src/api/types.ts';
import { hashedName } from '../../src/apply/store.ts';
import type { ConfigMapObject, KubeObject, SecretObject } from '../../src/kube/types.ts';
import { domainOf, startGround } from '../faults/ground.ts';
import { operatorNamespace, tenant } from '../faults/cluster.ts';
import { type Ground, type Lane, startLane } from '../faults/lane.ts';
import { applyDomain, grant, objectName } from '../faults/objects.ts';
import { nsupdate, tsigKeyFile } from '../lab/dns-update.ts';
import { places } from '../lab/lab.ts';
import { newFolder } from '../lab/namespace.ts';
import { waitFor } from '../lab/process.ts';
import { lookFor } from './haystack.ts';

type Reported = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } };

const planted = (what: string): string => `${what}-${randomBytes(24).toString('base64url')}`;
const passwords = {
  'a state that is no JSON': planted('state'),
  'an account that is no JSON': planted('account'),
  'a key statement instead of a key': planted('statement'),
  'a Secret of someone else': planted('foreign'),
};
const wrongKey = randomBytes(32);
/** Whatever a stranger can put into the DNS or a report, for whoever reads it in a terminal. */
const hostileWords = '\u001b[31m\r\n{"level":"error"}\u202e\u0007';

let ground: Ground & { readonly stop: () => Promise<void> };
let lane: Lane;
let log: string;

const opaque = (name: string, namespace: string, data: Readonly<Record<string, string>>): SecretObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
});
const own = (kind: string, name: string, spec: object, namespace?: string): KubeObject =>
  ({ apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, spec }) as KubeObject;

const provider = (name: string, change: object): KubeObject => {
  const rfc2136 = { server: lane.dnsServer, tsigKeyName: ground.dns.bind.tsig.name };
  const allowedNamespaces = { names: [tenant] };
  return own('DNSProvider', name, {
    zones: [`${name}.lane0.test`],
    allowedNamespaces,
    rfc2136,
    credentialsSecretRef: { name },
    ...change,
  });
};

/** Each of these fails for ever, and says so. */
function failing(): readonly KubeObject[] {
  const domain = domainOf(0, 1);
  const withMx = (name: string, change: object): KubeObject =>
    own(
      'MailDomain',
      name,
      { domain: `${name}.lane0.test`, mx: { hosts: [`mx.${name}.lane0.test`] }, ...change },
      tenant,
    );
  const broken = 'https://127.0.0.1:9/directory';
  return [
    opaque('wrong', operatorNamespace, { 'tsig-secret': wrongKey.toString('base64') }),
    provider('wrong', {}),
    opaque('malformed', operatorNamespace, {
      'tsig-secret': `key "k" { secret "${passwords['a key statement instead of a key']}"; };`,
    }),
    provider('malformed', {}),
    opaque(hashedName('mailseal-issuer', `cut ${broken}`), operatorNamespace, {
      'account.json': `{"keyPem":${passwords['an account that is no JSON']}`,
    }),
    own('CertificateIssuer', 'cut', { acme: { server: broken } }),
    own('CertificateIssuer', 'down', { acme: { server: broken.replace('directory', 'down') } }),
    own('CertificateIssuer', 'odd', {
      acme: {
        server: lane.acmeServer.replace(/dir$/u, 'nothing-here'),
        caBundle: readFileSync(ground.door.caFile, 'utf8'),
      },
    }),
    opaque(hashedName('mailseal-domain', 'lost.lane0.test'), operatorNamespace, {
      'state.json': passwords['a state that is no JSON'],
    }),
    withMx('lost', {}),
    withMx('taken', { domain, mx: undefined, exchangerRefs: [{ name: objectName }] }),
    opaque('guarded', tenant, { 'tls.key': passwords['a Secret of someone else'] }),
    own('MailExchanger', 'guarded', { hosts: [`mx.${domain}`], certificate: { secretName: 'guarded' } }, tenant),
    hostileReport(),
  ];
}

function hostileReport(): ConfigMapObject {
  const labels = { [attestationLabel]: 'true', [exchangerLabel]: 'guarded' };
  const report = { formatVersion: 1, host: `mx.${domainOf(0, 1)}`, at: new Date().toISOString(), error: hostileWords };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: agentName(report.host), namespace: tenant, labels },
    data: { [attestationDataKey]: JSON.stringify(report) },
  };
}

const expected = [
  ['MailDomain', objectName, 'Ready', 'Ready'],
  ['DNSProvider', 'wrong', 'Ready', 'ProviderUnauthorized'],
  ['DNSProvider', 'malformed', 'Ready', 'CredentialsInvalid'],
  ['CertificateIssuer', 'cut', 'Ready', 'StateUnreadable'],
  ['CertificateIssuer', 'down', 'Ready', 'ACMEUnavailable'],
  ['CertificateIssuer', 'odd', 'Ready', 'ACMERefused'],
  ['MailDomain', 'lost', 'Ready', 'StateUnreadable'],
  ['MailDomain', 'taken', 'Stalled', 'ForeignRecord'],
  ['MailExchanger', 'guarded', 'Deployed', 'SecretForeign'],
] as const;

const reported = async (): Promise<readonly Reported[]> => {
  const kinds = ['MailDomain', 'MailExchanger', 'DNSProvider', 'CertificateIssuer'];
  return (await Promise.all(kinds.map((kind) => lane.kube.list<Reported>({ apiVersion, kind })))).flat();
};

beforeAll(async () => {
  const dir = newFolder('secrets');
  ground = await startGround(dir, { lanes: 1, runs: 2 });
  lane = await startLane(ground, 0);
  const update = nsupdate(places.primary.v4, {
    admin: '',
    tsig: tsigKeyFile(dir, ground.dns.bind.tsig),
  });
  // \r \n, an escape sequence, a bell and U+202E, as master files write octets.
  const words = String.raw`v=STSv1; id=1;\013\010\027[31m{\"level\":\"error\"}\226\128\174\007`;
  await update(`update add _mta-sts.${domainOf(0, 1)} 1 TXT "${words}"`, 'tsig');
  await grant(ground, lane, domainOf(0, 0));
  await applyDomain(lane, domainOf(0, 0));
  for (const object of failing()) await lane.kube.apply(object, { fieldManager: 'secrets' });
  ({ log } = lane.startOperator({ flags: ['--log-level', 'debug'] }));
  await waitFor(
    'every object says what it is expected to',
    async () => {
      const objects = await reported();
      const missing = expected.flatMap(([kind, name, type, reason]) => {
        const object = objects.find((one) => one.kind === kind && one.metadata.name === name);
        const said = conditionOf(object?.status?.conditions, type);
        return said?.reason === reason ? [] : [`${kind} ${name} ${type}: ${said?.reason} (${said?.message})`];
      });
      // `waitFor` tells the last error when it gives up.
      if (missing.length > 0) throw new Error(missing.join(', '));
      return true;
    },
    { timeoutMs: 120_000, everyMs: 250 },
  );
}, 240_000);

afterAll(async () => {
  await lane?.stop();
  await ground?.stop();
});

/** Every private key in the cluster's Secrets, by its number alone, and all that was planted. */
async function secretsOf(all: readonly SecretObject[]): Promise<Readonly<Record<string, Buffer>>> {
  const text = all.flatMap(({ data = {} }) => Object.values(data)).map((one) => Buffer.from(one, 'base64').toString());
  const pems = text
    .join('\n')
    .replaceAll('\\n', '\n')
    .match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/gu);
  const numbers = new Set((pems ?? []).map((pem) => String(createPrivateKey(pem).export({ format: 'jwk' }).d)));
  const token = /"token": "([^"]+)"/u.exec(readFileSync(join(ground.dir, 'lane0', 'operator.kubeconfig'), 'utf8'))?.[1];
  return {
    ...Object.fromEntries([...numbers].map((d, at) => [`private key ${at}`, Buffer.from(d, 'base64url')])),
    ...Object.fromEntries(Object.entries(passwords).map(([name, value]) => [name, Buffer.from(value)])),
    'the TSIG secret': Buffer.from(ground.dns.bind.tsig.secret, 'base64'),
    'a wrong TSIG secret': wrongKey,
    'the token of the operator': Buffer.from(token ?? ''),
  };
}

/** All that others than the administrator of Secrets may read. */
async function said(): Promise<Readonly<Record<string, string>>> {
  const events = await lane.kube.list({ apiVersion: 'events.k8s.io/v1', kind: 'Event' });
  const operatorLog = readFileSync(log, 'utf8');
  const port = /"message":"listening","port":([0-9]+)/u.exec(operatorLog)?.[1];
  const servers = [`http://127.0.0.1:${port}`, ...lane.policyServers.map((address) => `http://${address}:9090`)];
  const pages = servers.flatMap((server) => ['/metrics', '/readyz'].map((path) => `${server}${path}`));
  const answers = await Promise.all(pages.map(async (page) => [page, await (await fetch(page)).text()] as const));
  const policyLogs = ['policy-0', 'policy-1'].map(
    (name) => [name, readFileSync(join(ground.dir, 'lane0', 'policy', `${name}.log`), 'utf8')] as const,
  );
  const others = await lane.kube.list<ConfigMapObject>({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: operatorNamespace,
  });
  return {
    'the log of the operator': operatorLog,
    'the Events': JSON.stringify(events),
    'the objects with their status': JSON.stringify(await reported()),
    'the ConfigMaps of the operator': JSON.stringify(others),
    ...Object.fromEntries([...answers, ...policyLogs]),
  };
}

test('no secret stands in a log, an Event, a status or a metric, in whatever form', async () => {
  const secrets = await lane.kube.list<SecretObject>({ apiVersion: 'v1', kind: 'Secret' });
  const all = await secretsOf(secrets);
  const stack = lookFor(all);
  // It finds them where they are.
  const there = stack.found(JSON.stringify(secrets));
  expect(Object.keys(all).filter((name) => !there.includes(name))).toEqual(['the token of the operator']);
  expect(Object.keys(all).filter((name) => name.startsWith('private key')).length).toBeGreaterThanOrEqual(4);
  for (const [where, text] of Object.entries(await said())) {
    expect(text.length, where).toBeGreaterThan(0);
    expect(stack.found(text), where).toEqual([]);
  }
});

const strings = (value: unknown): readonly string[] => {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : [];
};

test('what strangers wrote is shown escaped in conditions, Events and logs', async () => {
  const events = await lane.kube.list({ apiVersion: 'events.k8s.io/v1', kind: 'Event' });
  const conditions = (await reported()).map(({ status }) => status);
  const texts = strings([events, conditions]);
  expect(texts.filter((text) => text.includes('{"level":"error"}') || text.includes(String.raw`\x1b[31m`))).not.toEqual(
    [],
  );
  expect(texts.filter((text) => /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text))).toEqual([]);
  expect(texts.filter((text) => text.length > 4096)).toEqual([]);
});

test('each line of the log is one JSON object with time, level and message, and a decision names object, step and reason', () => {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  const entries = lines.map((line) => {
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  });
  for (const entry of entries) {
    expect(entry).toMatchObject({
      time: expect.stringMatching(/Z$/u),
      level: expect.any(String),
      message: expect.any(String),
    });
  }
  const changes = entries.filter(({ message }) => message === 'change');
  expect(changes.length).toBeGreaterThan(5);
  for (const change of changes) {
    expect(change).toMatchObject({ object: expect.any(String), step: expect.any(String), why: expect.any(String) });
  }
  for (const failure of entries.filter(({ message }) => message === 'reconcile failed')) {
    expect(failure).toMatchObject({
      object: expect.any(String),
      reason: expect.any(String),
      problem: expect.any(String),
    });
  }
});
