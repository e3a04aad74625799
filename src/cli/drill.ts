/** `mailseal drill`: a rotation of keys, or what a compromised key would ask for, played through and not done. */
import { UsageError } from '../config.ts';
import { MailsealError } from '../errors.ts';
import { type DrillKind, drillExchanger, type DrillReport } from '../preview/drill.ts';
import { drillExitCode, drillJson, drillText } from '../preview/drill-report.ts';
import type { Io } from './io.ts';
import { caBundleOf, readObjects } from './plan.ts';
import { lookOptions, type PlanOptions } from './plan-options.ts';

const usage = `mailseal drill rotate|compromise NAMESPACE/EXCHANGER --dry-run: shows what would happen to its keys, and
writes nothing: each step, when, what it waits for, what DNS and Secret hold then, and what DANE senders meet

  rotate                 as mailseal.dev/rotate-now with the time of now asks for
  compromise             as mailseal.dev/rotate-now: compromised asks for
  --dry-run              must be given: there is no other way
  --kubeconfig FILE, --context NAME
                         the cluster
  --namespace NAME       where the operator runs (mailseal-system)
  -f, --file PATH        as of mailseal plan: manifests that are laid over the cluster
  --json                 for programs: the form is in docs/keys.md
  --no-probe             connects to no MX host
and all that mailseal plan --help names for the operator's own flags.

Exit codes: 0 it would come to its end, 2 not as things stand, 1 an error, of the command line too.
`;

interface DrillOptions extends PlanOptions {
  readonly kind: DrillKind;
  readonly namespaceOf: string;
  readonly name: string;
}

/** @throws UsageError */
function drillOptions(args: readonly string[]): DrillOptions {
  const [kind, which = '', ...rest] = args;
  if (kind !== 'rotate' && kind !== 'compromise') throw new UsageError('the first word must be rotate or compromise');
  const [namespace = '', name = '', ...more] = which.split('/');
  if (namespace === '' || name === '' || more.length > 0 || which.startsWith('-'))
    throw new UsageError('the second word must name a MailExchanger: NAMESPACE/NAME');
  if (!rest.includes('--dry-run'))
    throw new UsageError('give --dry-run: a drill shows what would happen, and there is no other form of it');
  const options = lookOptions(rest.filter((word) => word !== '--dry-run'));
  if (!options.cluster && options.files.length === 0)
    throw new UsageError('--kubeconfig says which cluster the exchanger is in');
  return { ...options, kind, namespaceOf: namespace, name };
}

export async function runDrill(args: readonly string[], io: Io): Promise<number> {
  if (args.includes('--help')) {
    io.out(usage);
    return 0;
  }
  try {
    const options = drillOptions(args);
    const { found, notices } = await drillOf(options, io);
    io.out(options.json ? drillJson(found, notices) : drillText(found, notices));
    return drillExitCode(found);
  } catch (error) {
    // 2 is the exit code of a drill that is blocked.
    if (!(error instanceof UsageError) && !(error instanceof MailsealError)) throw error;
    const more = error instanceof UsageError ? '. See mailseal drill --help' : '';
    io.err(`mailseal drill: ${error instanceof MailsealError ? `${error.reason}: ` : ''}${error.message}${more}\n`);
    return 1;
  }
}

async function drillOf(
  options: DrillOptions,
  io: Io,
): Promise<{ readonly found: DrillReport; readonly notices: readonly string[] }> {
  const { openWorld } = await import('../preview/open.ts');
  const { kind, namespaceOf: namespace, name } = options;
  const { objects, problems } =
    options.files.length === 0 ? { objects: [], problems: [] } : await readObjects(options, io);
  if (problems.length > 0) throw new MailsealError('InvalidSpec', problems.join('; '));
  const preview = { ...options, caBundle: await caBundleOf(options), clock: io.clock, tenants: [namespace] };
  return openWorld(objects, preview, async (world) => {
    const exchanger = world.cache.exchanger(namespace, name);
    if (exchanger === undefined)
      throw new MailsealError('ExchangerNotFound', `there is no MailExchanger ${namespace}/${name}`);
    return drillExchanger(world, exchanger, kind);
  });
}
