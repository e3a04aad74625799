/** The chart through the real Helm into a real API server, and what its roles may do there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operatorConfig } from '../../src/config.ts';
import { type ControlPlane, startControlPlane } from '../lab/controlplane.ts';
import { helm, kubectl, kubectlApply } from '../lab/kubectl.ts';
import { chart, deploymentsOf, type Manifest, manifestsOf, rolesOf } from './rendered.ts';

const dir = mkdtempSync(join(tmpdir(), 'mailseal-chart-'));
const namespace = 'mailseal-system';
const release = ['mailseal', chart, '-n', namespace];
let plane: ControlPlane;

const render = async (...sets: readonly string[]): Promise<readonly Manifest[]> =>
  manifestsOf(await helm(plane.kubeconfig, 'template', ...release, ...sets.flatMap((set) => ['--set', set])));

const names = (manifests: readonly Manifest[]): string[] =>
  manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? '-'}/${metadata.name}`).sort();

beforeAll(async () => {
  plane = await startControlPlane({ dir });
  for (const name of [namespace, 'mail', 'other']) await kubectl(plane.kubeconfig, 'create', 'namespace', name);
}, 120_000);

afterAll(async () => {
  await plane?.stop();
  rmSync(dir, { recursive: true, force: true });
});

describe('rendered', () => {
  test('helm lint has nothing to say', async () => {
    expect(await helm(plane.kubeconfig, 'lint', '--strict', chart)).toContain('0 chart(s) failed');
  });

  test.each([
    ['a resolver without a name to pin', 'resolvers.outside={tls://9.9.9.9:853}', '/resolvers/outside/0'],
    ['a value that does not exist', 'policy.replica=3', 'replica'],
    ['no policy pod', 'policy.replicas=0', '/policy/replicas'],
    ['a digest that is a tag', 'image.digest=latest', '/image/digest'],
    ['an address for a network', 'egress.allowPrivateAddresses={10.0.0.1}', '/egress/allowPrivateAddresses/0'],
    ['a sidecar without an image', 'operator.extraContainers[0].name=webhook', '/operator/extraContainers/0'],
    ['an unknown type of Service', 'policy.service.type=ExternalName', '/policy/service/type'],
  ])('refuses %s', async (_what, set, words) => {
    await expect(render(set)).rejects.toThrow(words);
  });

  test('every container is restricted and without a way to write', async () => {
    const deployments = deploymentsOf(await render());
    expect(names(deployments)).toHaveLength(2);
    for (const { spec } of deployments) {
      expect(spec.template.spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext } of spec.template.spec.containers) {
        expect(securityContext).toMatchObject({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  test('policy pods have no token and every shard, optional', async () => {
    const [, policy] = deploymentsOf(await render('policy.shards=3')).toSorted((a, b) =>
      a.metadata.name < b.metadata.name ? -1 : 1,
    );
    const pod = policy?.spec.template.spec;
    expect(pod).toMatchObject({ automountServiceAccountToken: false, serviceAccountName: 'mailseal-policy' });
    expect(pod?.volumes?.map(({ secret }) => secret)).toEqual(
      [0, 1, 2].map((n) => ({ secretName: `mailseal-policy-shard-${n}`, optional: true, defaultMode: 288 })),
    );
    expect(pod?.containers[0]?.volumeMounts?.map(({ mountPath }) => mountPath)).toEqual([
      '/shards/0',
      '/shards/1',
      '/shards/2',
    ]);
  });

  test('port 80 is closed everywhere, unless policy pods are to answer HTTP-01', async () => {
    const ports = (manifests: readonly Manifest[]): readonly string[] => {
      const flags = deploymentsOf(manifests).flatMap(({ spec }) => spec.template.spec.containers[0]?.args ?? []);
      const found = JSON.stringify(manifests.filter(({ kind }) => kind === 'Service' || kind === 'NetworkPolicy'));
      return [
        ...flags.filter((flag) => flag.includes('challenge')),
        ...[...found.matchAll(/"port":(80|8080|"challenge")[,}]/gu)].map(([, port]) => String(port)),
      ].sort();
    };
    expect(ports(await render())).toEqual([]);
    const open = ['"challenge"', '--challenge-address=0.0.0.0:8080', '--challenge-port=8080', '80', '80', '8080'];
    expect(ports(await render('policy.http01.enabled=true'))).toEqual(open);
    const twice = ['policy.http01.enabled=true', 'networkPolicy.extraEgressPorts={80,14000}'];
    expect(ports(await render(...twice))).toEqual(open);
  });

  test('the operator is told of everything by flags', async () => {
    const sets = [
      'egress.allowPrivateAddresses={10.53.0.0/24,fd53::/64}',
      'installationId=abcdefgh-1',
      'tenantNamespaces={mail,customers}',
      'resolvers.secureName=test',
    ];
    const [operator] = deploymentsOf(await render(...sets));
    const args = operator?.spec.template.spec.containers[0]?.args;
    expect(args).toEqual([
      'operator',
      `--namespace=${namespace}`,
      '--tenant-namespaces=mail,customers',
      '--policy-service=mailseal-policy',
      '--policy-selector=app.kubernetes.io/name=mailseal,app.kubernetes.io/instance=mailseal,app.kubernetes.io/component=policy',
      '--policy-port=8443',
      '--shards=8',
      '--shard-secret-prefix=mailseal-policy-shard-',
      '--outside-resolver=tls://9.9.9.9:853#dns.quad9.net',
      '--outside-resolver=tls://149.112.112.112:853#dns.quad9.net',
      '--secure-name=test',
      '--allow-addresses=10.53.0.0/24,fd53::/64',
      '--installation-id=abcdefgh-1',
      '--ehlo-name=mailseal.invalid',
      '--http-address=0.0.0.0:9090',
      '--log-level=info',
    ]);
    expect(operatorConfig(args?.slice(1) ?? [])).toMatchObject({ namespace, tenantNamespaces: ['mail', 'customers'] });
  });

  test('further CAs are mounted and named to Node', async () => {
    const [operator] = deploymentsOf(await render('trust.extraCAs=-----BEGIN CERTIFICATE-----'));
    expect(operator?.spec.template.spec.containers[0]?.env).toContainEqual({
      name: 'NODE_EXTRA_CA_CERTS',
      value: '/etc/mailseal/trust/extra-ca.pem',
    });
  });

  test('a digest wins over the tag', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const images = deploymentsOf(await render(`image.digest=${digest}`, 'image.tag=x')).map(
      ({ spec }) => spec.template.spec.containers[0]?.image,
    );
    expect(images).toEqual([`mailseal@${digest}`, `mailseal@${digest}`]);
  });

  test('no role has a wildcard, and no cluster role a Secret or a workload', async () => {
    const roles = rolesOf(await render('tenantNamespaces={mail}'));
    for (const { kind, rules } of roles) {
      const words = rules.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs]);
      expect(words).not.toContain('*');
      if (kind === 'ClusterRole')
        expect(words.filter((word) => /secret|configmap|pod|deploy|apps/u.test(word))).toEqual([]);
    }
    expect(roles.map(({ kind, metadata }) => [kind, metadata.namespace])).toEqual([
      ['ClusterRole', undefined],
      ['Role', namespace],
      ['Role', 'mail'],
      // Only while `helm uninstall` asks.
      ['ClusterRole', undefined],
      ['Role', namespace],
    ]);
  });

  test.each([
    ['externalDns.enabled=false', []],
    ['externalDns.enabled=true', [{ namespace, verbs: ['get', 'create', 'update', 'delete'] }]],
  ])('with %s the operator has no more rights to DNSEndpoints than it needs', async (set, wanted) => {
    const found = rolesOf(await render(set)).flatMap(({ metadata, rules }) =>
      rules
        .filter(({ resources }) => resources.includes('dnsendpoints'))
        .map(({ verbs }) => ({ namespace: metadata.namespace, verbs })),
    );
    expect(found).toEqual(wanted);
  });

  test('workloads are restarted in tenants’ namespaces alone, and only where the chart says so', async () => {
    const aboutWorkloads = async (...sets: readonly string[]) =>
      rolesOf(await render('tenantNamespaces={mail,customers}', ...sets)).flatMap(({ kind, metadata, rules }) =>
        rules
          .filter(({ apiGroups }) => apiGroups.includes('apps'))
          .map(({ resources, verbs }) => [kind, metadata.namespace, resources, verbs]),
      );
    expect(await aboutWorkloads()).toEqual([]);
    const rule = [
      ['deployments', 'statefulsets', 'daemonsets'],
      ['get', 'patch'],
    ];
    expect(await aboutWorkloads('workloadRestarts.enabled=true')).toEqual([
      ['Role', 'mail', ...rule],
      ['Role', 'customers', ...rule],
    ]);
  });

  test.each([
    ['crds.enabled=false', 0],
    ['crds.enabled=true', 5],
  ])('with %s there are %i CRDs', async (set, count) => {
    const crds = (await render(set)).filter(({ kind }) => kind === 'CustomResourceDefinition');
    expect(crds).toHaveLength(count);
    for (const crd of crds) expect(crd.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
  });
});

describe('installed', () => {
  beforeAll(async () => {
    await helm(plane.kubeconfig, 'install', ...release, '--set', 'tenantNamespaces={mail}');
  }, 120_000);

  test('two releases live side by side', async () => {
    const other = ['second', chart, '-n', 'other', '--set', 'crds.enabled=false'];
    expect(await helm(plane.kubeconfig, 'install', ...other)).toContain('STATUS: deployed');
  });

  test('its pods pass the restricted Pod Security Standard', async () => {
    const label = 'pod-security.kubernetes.io/enforce=restricted';
    await kubectl(plane.kubeconfig, 'label', 'namespace', namespace, label, '--overwrite');
    for (const { metadata, spec } of deploymentsOf(await render())) {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: metadata.name, namespace },
        spec: spec.template.spec,
      };
      expect(await kubectlApply(plane.kubeconfig, JSON.stringify(pod), '--dry-run=server')).toContain(
        'created (server dry run)',
      );
    }
  });

  test.each([
    ['yes', 'patch maildomains.mailseal.dev/status', 'anywhere'],
    ['yes', 'patch maildomains.mailseal.dev', 'anywhere'],
    ['yes', 'create mailexchangers.mailseal.dev', 'anywhere'],
    ['yes', 'create events.events.k8s.io', 'anywhere'],
    ['yes', 'create secrets', namespace],
    ['yes', 'update secrets', namespace],
    ['yes', 'delete configmaps', namespace],
    ['yes', 'list configmaps', namespace],
    ['yes', 'update leases', namespace],
    ['yes', 'patch pods', namespace],
    ['yes', 'update secrets', 'mail'],
    ['yes', 'watch configmaps', 'mail'],
    ['yes', 'delete secrets', namespace],
    ['no', 'list secrets', namespace],
    ['yes', 'update configmaps', namespace],
    ['no', 'patch leases', namespace],
    ['no', 'patch secrets', 'mail'],
    ['no', 'delete mailexchangers.mailseal.dev', 'mail'],
    ['no', 'delete secrets', 'mail'],
    ['no', 'patch statefulsets.apps', 'mail'],
    ['no', 'list pods', 'mail'],
    ['no', 'list secrets', 'mail'],
    ['no', 'get secrets', 'other'],
    ['no', 'get configmaps', 'other'],
    ['no', 'create pods', namespace],
    ['no', 'create deployments.apps', namespace],
    ['no', 'create maildomains.mailseal.dev', 'mail'],
    ['no', 'delete maildomains.mailseal.dev', 'mail'],
    ['no', 'update dnsproviders.mailseal.dev', 'anywhere'],
    ['no', 'create serviceaccounts/token', namespace],
    ['no', 'create rolebindings.rbac.authorization.k8s.io', namespace],
  ])('says %s to the operator that would %s in %s', async (answer, what, where) => {
    const scope = where === 'anywhere' ? ['-A'] : ['-n', where];
    const as = ['--as', `system:serviceaccount:${namespace}:mailseal`];
    const asked = kubectl(plane.kubeconfig, 'auth', 'can-i', ...what.split(' '), ...scope, ...as).catch(String);
    expect((await asked).match(/^(yes|no)$/mu)?.[0]).toBe(answer);
  });

  test('policy pods may do nothing at all', async () => {
    const as = ['--as', `system:serviceaccount:${namespace}:mailseal-policy`, '--list'];
    const rights = await kubectl(plane.kubeconfig, 'auth', 'can-i', '-n', namespace, ...as);
    expect(rights).not.toMatch(/secrets|mailseal\.dev|pods/u);
  });

  test('the quick start and the overlay of the lab are accepted', async () => {
    const overlay = resolve(import.meta.dirname, '../lab/overlay');
    const text = await kubectl(plane.kubeconfig, 'kustomize', '--load-restrictor', 'LoadRestrictionsNone', overlay);
    const known: Readonly<Record<string, string>> = {
      NAME_SERVER: '10.53.0.1:53',
      TSIG_KEY_NAME: 'lab',
      TSIG_ALGORITHM: 'hmac-sha256',
      ACME_DIRECTORY: 'https://10.53.0.9:14000/dir',
      ACME_CA: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    };
    const filled = text.replaceAll(/\$\{([A-Z_]+)\}/gu, (_all, name: string) => JSON.stringify(known[name]));
    expect(await kubectlApply(plane.kubeconfig, filled)).toMatch(/maildomain\.mailseal\.dev\/example created/u);
  });
});
