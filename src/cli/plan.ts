/** `mailseal plan`: what a look of the operator would change, for a human to read before it happens. */
import { readFile } from 'node:fs/promises';
import { isKindName } from '../api/kinds.ts';
import { apiVersion, group } from '../api/types.ts';
import { unknownFields, unknownFieldWords } from '../api/unknown-fields.ts';
import { UsageError } from '../config.ts';
import type { KubeObject, SecretObject } from '../kube/types.ts';
import { exitCodeOf, jsonOf, type PlanReport, textOf } from '../preview/report.ts';
import type { Io } from './io.ts';
import { type ManifestObject, readManifest } from './manifest.ts';
import { readManifestFiles } from './manifest-files.ts';
import { type PlanOptions, planOptions, planUsage } from './plan-options.ts';

export async function runPlan(args: readonly string[], io: Io): Promise<number> {
  if (args.includes('--help')) {
    io.out(planUsage);
    return 0;
  }
  try {
    const options = planOptions(args);
    const interrupted = Promise.withResolvers<never>();
    const stop = (): void => interrupted.reject(new Error('interrupted'));
    io.signal.addEventListener('abort', stop, { once: true });
    const report = await Promise.race([planOf(options, io), interrupted.promise]);
    io.signal.removeEventListener('abort', stop);
    io.out(options.json ? jsonOf(report) : textOf(report));
    return exitCodeOf(report);
  } catch (error) {
    // 2 is the exit code of changes: whoever mistypes must not read that there are some.
    if (!(error instanceof UsageError)) throw error;
    io.err(`mailseal plan: ${error.message}. See mailseal plan --help\n`);
    return 1;
  }
}

async function planOf(options: PlanOptions, io: Io): Promise<PlanReport> {
  const { openPreview } = await import('../preview/open.ts');
  const { objects, problems } = await readObjects(options, io);
  const found = await openPreview(objects, { ...options, caBundle: await caBundleOf(options), clock: io.clock });
  return { notices: found.notices, problems, objects: found.objects };
}

/** PEM, from `--resolver-ca`. */
export async function caBundleOf({ config }: Pick<PlanOptions, 'config'>): Promise<string | undefined> {
  return config.resolverCaFile && (await readFile(config.resolverCaFile, 'utf8'));
}

/** The objects of `--file`, and what is wrong with them. */
export async function readObjects(options: PlanOptions, io: Pick<Io, 'readStdin'>): Promise<Collected> {
  const { texts, problems: unread } = await readManifestFiles(options.files, io.readStdin);
  const { objects, problems } = collect(
    texts.map(({ source, text, named }) => ({ source, named, ...readManifest(text) })),
    await defaultNamespace(options),
  );
  return { objects, problems: [...unread, ...problems] };
}

/** Where objects without a namespace go: as with kubectl, where the kubeconfig says. */
async function defaultNamespace({ cluster, config }: PlanOptions): Promise<string> {
  if (!cluster) return 'default';
  const { loadKubeConfig } = await import('../kube/config.ts');
  return (await loadKubeConfig(config.kube)).namespace ?? 'default';
}

interface Read extends ReturnType<typeof readManifest> {
  readonly source: string;
  readonly named: boolean;
}

interface Collected {
  readonly objects: readonly KubeObject[];
  readonly problems: readonly string[];
}

/** The objects that a plan goes by, each once, and what is wrong with the files. */
function collect(all: readonly Read[], namespace: string): Collected {
  const objects = new Map<string, KubeObject>();
  const problems: string[] = [];
  for (const { source, named, objects: read, problems: wrong } of all) {
    // A folder may hold what is no manifest at all.
    const counted = wrong.filter(({ code }) => named || code !== 'NotAnObject');
    problems.push(...counted.map(({ message }) => `${source}: ${message}`));
    for (const object of read) {
      const [problem, ...more] = problemsOf(object);
      const placed = withNamespace(object, namespace);
      const key = [placed.apiVersion, placed.kind, placed.metadata.namespace ?? '', placed.metadata.name].join(' ');
      if (problem !== undefined) problems.push(...[problem, ...more].map((one) => `${source}: ${one}`));
      else if (objects.has(key)) problems.push(`${source}: ${object.kind} ${object.metadata.name} stands there twice`);
      else objects.set(key, placed);
    }
  }
  // A path that was mistyped, or a step before that made nothing, is not to be read as "no changes".
  if (all.every(({ objects: read, problems: wrong }) => read.length === 0 && wrong.length === 0))
    problems.push('the files hold no object');
  return { objects: [...objects.values()], problems };
}

function problemsOf({ apiVersion: version, kind, metadata, spec }: ManifestObject): readonly string[] {
  if (version !== group && !version.startsWith(`${group}/`)) return [];
  if (!isKindName(kind) || version !== apiVersion)
    return [`${kind} of ${version} is no kind that this version knows; it reads ${apiVersion}`];
  return unknownFields(kind, spec).map((path) => `${kind} ${metadata.name}: ${unknownFieldWords(path)}`);
}

const clusterScoped: readonly string[] = ['DNSProvider', 'CertificateIssuer', 'Namespace'];

function withNamespace(object: ManifestObject, namespace: string): KubeObject {
  const { metadata } = object;
  const { namespace: given, ...bare } = metadata;
  const placed = {
    ...object,
    metadata: clusterScoped.includes(object.kind) ? bare : { ...bare, namespace: given ?? namespace },
  };
  return object.kind === 'Secret' ? encoded(placed as SecretObject & { stringData?: unknown }) : placed;
}

/** The API server does the same to what is written in clear. */
function encoded({ stringData, ...secret }: SecretObject & { readonly stringData?: unknown }): SecretObject {
  const clear = Object.entries(typeof stringData === 'object' && stringData !== null ? stringData : {});
  const base64 = clear.map(([name, value]) => [name, Buffer.from(String(value)).toString('base64')] as const);
  return { ...secret, data: { ...secret.data, ...Object.fromEntries(base64) } };
}
