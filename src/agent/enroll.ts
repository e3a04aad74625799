/**
 * `mailseal agent enroll`: with an administrator's rights, makes for one MX host an account that can read one Secret,
 * write one report and renew its own token, and nothing else.
 */
import { agentName, attestationLabel, exchangerLabel } from '../api/attestation.ts';
import { apiVersion, type MailExchanger } from '../api/types.ts';
import { createKube, type KubeClient } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/config.ts';
import type { KubeObject } from '../kube/types.ts';
import { type AgentFile, agentFileVersion, type Installation, writeAgentFile } from './agent-file.ts';
import { userAgent } from './user-agent.ts';

export interface EnrollOptions {
  readonly namespace: string;
  /** Of the MailExchanger. */
  readonly exchanger: string;
  readonly installation: Installation;
  readonly kubeconfig: string;
  readonly context?: string;
  /** Where the agent file is written, mode 0600. */
  readonly out: string;
  /** The API server as the MX host reaches it; default: as the kubeconfig does. */
  readonly server?: string;
  /** Default: the exchanger's. */
  readonly secretName?: string;
  /** Seconds, 600 at least: what the agent may sleep through at most is half of it. */
  readonly tokenSeconds: number;
  readonly now: number;
}

export interface Enrolled {
  readonly file: AgentFile;
  /** What the administrator should know, in sentences. */
  readonly notes: readonly string[];
}

const fieldManager = 'mailseal-enroll';

/** Repeatable: a second run renews the token and leaves the rest. Rejects with KubeError, or Error saying what to mend. */
export async function enroll(options: EnrollOptions): Promise<Enrolled> {
  const { namespace, exchanger, installation, now } = options;
  const { host } = installation;
  const context = options.context === undefined ? {} : { context: options.context };
  const access = await loadKubeConfig({ from: 'file', file: options.kubeconfig, ...context });
  const kube = createKube(access, { userAgent });
  try {
    const { secretName, notes } = await secretOf(kube, options);
    const name = agentName(host);
    for (const object of agentObjects({ namespace, exchanger, host, name, secretName }))
      await kube.apply(object, { fieldManager });
    const account = { namespace, name };
    const { token, expires } = await kube.createToken(account, { expirationSeconds: options.tokenSeconds });
    const { ca } = (await access.credentials()).tls;
    const file: AgentFile = {
      ...installation,
      formatVersion: agentFileVersion,
      server: options.server ?? access.server.href,
      ...(ca === undefined ? {} : { ca: ca.toString() }),
      token,
      tokenIssued: now,
      tokenExpires: expires,
      namespace,
      serviceAccount: name,
      secretName,
      configMapName: name,
    };
    await writeAgentFile(options.out, file);
    return { file, notes };
  } finally {
    kube.close();
  }
}

async function secretOf(
  kube: KubeClient,
  { namespace, exchanger, installation: { host }, secretName }: EnrollOptions,
): Promise<{ readonly secretName: string; readonly notes: readonly string[] }> {
  const found = await kube.get<MailExchanger>({ apiVersion, kind: 'MailExchanger', namespace, name: exchanger });
  const name = secretName ?? found?.status?.secretName ?? found?.spec.certificate?.secretName ?? `${exchanger}-tls`;
  if (found === undefined) {
    const note = `There is no MailExchanger ${namespace}/${exchanger} yet; the agent will wait for its Secret ${name}.`;
    return { secretName: name, notes: [note] };
  }
  if (!found.spec.hosts.includes(host)) {
    const hosts = found.spec.hosts.join(', ');
    throw new Error(`MailExchanger ${namespace}/${exchanger} does not list ${host} in spec.hosts (it lists ${hosts})`);
  }
  return { secretName: name, notes: [] };
}

interface AgentNames {
  readonly namespace: string;
  readonly exchanger: string;
  readonly host: string;
  readonly name: string;
  readonly secretName: string;
}

function agentObjects({ namespace, exchanger, host, name, secretName }: AgentNames): readonly KubeObject[] {
  const labels = { 'app.kubernetes.io/managed-by': 'mailseal', [exchangerLabel]: exchanger };
  const metadata = { name, namespace, labels, annotations: { 'mailseal.dev/host': host } };
  const rbac = 'rbac.authorization.k8s.io';
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata, automountServiceAccountToken: false };
  const role = {
    apiVersion: `${rbac}/v1`,
    kind: 'Role',
    metadata,
    rules: [
      { apiGroups: [''], resources: ['secrets'], resourceNames: [secretName], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['configmaps'], resourceNames: [name], verbs: ['get', 'patch', 'update'] },
      { apiGroups: [''], resources: ['serviceaccounts/token'], resourceNames: [name], verbs: ['create'] },
    ],
  };
  const binding = {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: rbac, kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  };
  const report = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata, labels: { ...labels, [attestationLabel]: 'true' } },
    data: { host },
  };
  return [account, role, binding, report];
}
