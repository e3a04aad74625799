import { describe, expect, test } from 'vitest';
import { hostAndPort, operatorConfig, operatorUsage, UsageError } from '../src/config.ts';

test('without a flag there is a default for everything', () => {
  expect(operatorConfig([])).toMatchObject({
    kube: { from: 'cluster' },
    namespace: 'mailseal',
    tenantNamespaces: [],
    policyPort: 8443,
    challengePort: undefined,
    shards: 8,
    insideResolvers: [],
    allowAddresses: [],
    installationId: undefined,
    httpAddress: { host: '127.0.0.1', port: 9090 },
    logLevel: 'info',
    leaderElection: true,
  });
});

test('every flag is documented, and every documented flag is read', () => {
  const documented = new Set([...operatorUsage.matchAll(/--[a-z-]+/gu)].map(([flag]) => flag));
  for (const flag of documented) {
    const args = flag === '--no-leader-election' ? [flag] : [flag, '1'];
    try {
      operatorConfig(args);
    } catch (error) {
      expect(String(error)).not.toContain('Unknown option');
    }
  }
  expect(documented.size).toBeGreaterThan(15);
});

test.each<readonly [string, readonly string[], object]>([
  [
    'lists are cut at commas, blanks dropped',
    ['--tenant-namespaces', 'a, b,,c '],
    { tenantNamespaces: ['a', 'b', 'c'] },
  ],
  [
    'networks of both families',
    ['--allow-addresses', '10.0.0.0/8,fd00::/8'],
    { allowAddresses: ['10.0.0.0/8', 'fd00::/8'] },
  ],
  [
    'several resolvers',
    ['--outside-resolver', 'udp://192.0.2.1:53', '--outside-resolver', 'tls://192.0.2.2#dns.example'],
    { outsideResolvers: ['udp://192.0.2.1:53', 'tls://192.0.2.2#dns.example'] },
  ],
  [
    'a cluster by its file',
    ['--kubeconfig', '/k', '--context', 'c'],
    { kube: { from: 'file', file: '/k', context: 'c' } },
  ],
  ['a port for challenges', ['--challenge-port', '8080'], { challengePort: 8080 }],
  ['no election', ['--no-leader-election'], { leaderElection: false }],
])('%s', (_, args, want) => {
  expect(operatorConfig(args)).toMatchObject(want);
});

describe('what can’t be read is refused with the name of the flag', () => {
  test.each<readonly [flag: string, value: string]>([
    ['policy-port', '0'],
    ['policy-port', '65536'],
    ['policy-port', 'https'],
    ['policy-port', '8443.5'],
    ['policy-port', '1e3'],
    ['policy-port', ''],
    ['challenge-port', ''],
    ['shards', '0'],
    ['shards', '-1'],
    ['shards', '257'],
    ['http-address', 'localhost'],
    ['http-address', 'localhost:'],
    ['http-address', 'localhost:x'],
    ['log-level', 'verbose'],
    ['allow-addresses', '10.0.0.0'],
    ['allow-addresses', '10.0.0.0/33'],
    ['allow-addresses', '10.0.0.0/8,everything'],
    ['outside-resolver', '9.9.9.9'],
    ['outside-resolver', 'tls://dns.quad9.net#dns.quad9.net'],
    ['outside-resolver', 'tls://9.9.9.9'],
    ['inside-resolver', 'https://dns.example/dns-query'],
    ['no-such-flag', 'x'],
  ])('--%s %j', (flag, value) => {
    const read = (): unknown => operatorConfig([`--${flag}=${value}`]);
    expect(read).toThrow(UsageError);
    expect(read).toThrow(`--${flag}`);
  });
  test('a word that belongs to no flag', () => {
    expect(() => operatorConfig(['start'])).toThrow(UsageError);
  });
});

test.each<readonly [string, object]>([
  ['127.0.0.1:9090', { host: '127.0.0.1', port: 9090 }],
  ['[::1]:9090', { host: '::1', port: 9090 }],
  [':9090', { host: '::', port: 9090 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
])('an address to listen at: %s', (text, want) => {
  expect(hostAndPort('http-address', text)).toEqual(want);
});
