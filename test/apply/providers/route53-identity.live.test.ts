/** Route 53 with the identity that a cloud gives the operator's pod, by the SDK's own chain: nothing of it is in the Secret. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Provider } from '../../../src/apply/providers/provider.ts';
import { createRoute53 } from '../../../src/apply/providers/route53.ts';
import type { RecordSet } from '../../../src/dns/rrset.ts';
import { newFolder } from '../../lab/namespace.ts';
import { type Route53, startRoute53 } from '../../lab/route53.ts';
import { parts } from './parts.ts';

const zone = 'example.test';
const dir = newFolder('route53-identity');
const tokenFile = join(dir, 'token');
const wanted = (host: string): RecordSet => ({
  name: `_mta-sts.${host}.${zone}`,
  type: 'TXT',
  ttl: 300,
  values: ['v=STSv1; id=1;'],
});
let route53: Route53;
const made: Provider[] = [];

beforeAll(async () => {
  route53 = await startRoute53(dir);
  await route53.createZone(zone);
});
afterAll(async () => {
  await route53?.stop();
});

beforeEach(() => {
  const machines = ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN', 'PROFILE', 'REGION', 'ENDPOINT_URL'];
  for (const name of machines) vi.stubEnv(`AWS_${name}`, undefined);
  for (const name of ['FULL_URI', 'RELATIVE_URI']) vi.stubEnv(`AWS_CONTAINER_CREDENTIALS_${name}`, undefined);
  for (const name of ['CONFIG_FILE', 'SHARED_CREDENTIALS_FILE']) vi.stubEnv(`AWS_${name}`, '/dev/null');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  // What EKS gives a pod whose account is annotated with a role.
  vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::123456789012:role/mailseal');
  vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', tokenFile);
  vi.stubEnv('AWS_ENDPOINT_URL_STS', route53.url);
  writeFileSync(tokenFile, route53.webToken);
});
afterEach(() => {
  for (const provider of made.splice(0)) provider.close?.();
  vi.unstubAllEnvs();
});

function own(spec: Partial<Parameters<typeof createRoute53>[0]['spec']> = {}): Provider {
  const provider = createRoute53({
    ...parts(),
    spec: { endpoint: route53.url, plainHttp: true, ...spec },
    credentials: {},
    timeoutMs: 5000,
    rate: { atOnce: 4 },
  });
  made.push(provider);
  return provider;
}

async function publish(provider: Provider, set: RecordSet): Promise<readonly RecordSet[]> {
  await provider.apply(zone, [{ name: set.name, type: set.type, before: undefined, after: set }]);
  return (await route53.records(zone)).filter(({ name }) => name === set.name);
}

test('a role that the cluster vouches for writes records, and is asked for once', async () => {
  const before = route53.keys().length;
  const provider = own();
  expect(await publish(provider, wanted('irsa'))).toEqual([wanted('irsa')]);
  expect(await provider.list(zone, [wanted('irsa')])).toEqual([wanted('irsa')]);
  expect(route53.keys().length).toBe(before + 1);
});

test('with it another role is assumed, where the DNSProvider names one', async () => {
  const before = route53.keys().length;
  const provider = own({ roleArn: 'arn:aws:iam::210987654321:role/dns' });
  expect(await publish(provider, wanted('chained'))).toEqual([wanted('chained')]);
  expect(route53.keys().length).toBe(before + 2);
});

test('a token that AWS does not take is said, and nothing is written', async () => {
  writeFileSync(tokenFile, 'of another cluster');
  await expect(publish(own(), wanted('stranger'))).rejects.toMatchObject({
    reason: 'ProviderUnauthorized',
    kind: 'Stalled',
    message: expect.stringContaining('the trust policy of the role'),
  });
  expect((await route53.records(zone)).map(({ name }) => name)).not.toContain(wanted('stranger').name);
});
