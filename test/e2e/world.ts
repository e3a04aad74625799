/** One installed lab for all end-to-end tests, with what they ask of it. */
import { join } from 'node:path';
import { provider, secret } from './objects.ts';
import { mxHosts, sharedDomains, zones } from './zones.ts';
import { type Installed, startExampleAgents, startInstalled } from '../lab/installed.ts';
import { ensureNamespace, operatorNamespace } from '../lab/demo/install.ts';
import { renderOverlay } from '../lab/demo/overlay.ts';
import { kubectl, kubectlApply } from '../lab/kubectl.ts';
import { places } from '../lab/lab.ts';
import { addAddress, labDir } from '../lab/namespace.ts';
import { type PostfixMx, startPostfixMx } from '../lab/postfix-mx.ts';

export interface World extends Installed {
  readonly kubectl: (...args: readonly string[]) => Promise<string>;
  readonly apply: (...objects: readonly object[]) => Promise<string>;
  /** examples/quickstart.yaml with the overlay of the lab. */
  readonly quickstart: string;
}

/** The example's hosts have agents already; nothing has been applied. */
export async function startWorld(): Promise<World> {
  const installed = await startInstalled(labDir(), { more: { zones, domains: sharedDomains } });
  const [kubeconfig] = installed.cluster;
  const more = await startMoreHosts();
  await startExampleAgents(installed, 'mail/example');
  const agents = (['second', 'unsigned', 'crash'] as const).map((name) => {
    const { address } = mxHosts[name];
    return installed.startAgent({ exchanger: `mail/${name}`, postfix: more[name], address });
  });
  await Promise.all(agents);
  for (const name of ['untended', 'strangers']) await ensureNamespace(installed.cluster, name);
  return {
    ...installed,
    kubectl: (...args) => kubectl(kubeconfig, ...args),
    apply: (...objects) => kubectlApply(kubeconfig, objects.map((object) => JSON.stringify(object)).join('\n---\n')),
    quickstart: await renderOverlay(installed.lab),
    stop: async () => {
      await Promise.all(Object.values(more).map((host) => host.stop()));
      await installed.stop();
    },
  };
}

async function startMoreHosts(): Promise<Readonly<Record<keyof typeof mxHosts, PostfixMx>>> {
  const start = async (label: keyof typeof mxHosts): Promise<PostfixMx> => {
    const { name, address } = mxHosts[label];
    await addAddress(address);
    return startPostfixMx({
      dir: join(labDir(), label),
      name,
      v4: address,
      resolver: places.inside,
      domains: [`${label}.test`, ...sharedDomains],
      tls: label !== 'cleartext',
    });
  };
  const [second, unsigned, cleartext, crash] = await Promise.all([
    start('second'),
    start('unsigned'),
    start('cleartext'),
    start('crash'),
  ]);
  return { second, unsigned, cleartext, crash };
}

/** What administrators grant beside the example: all zones to two namespaces, one of them with a wrong key. */
export function grants({ lab }: World): readonly object[] {
  const { tsig } = lab.bind;
  const rfc2136 = { server: places.primary.v4, tsigKeyName: tsig.name, tsigAlgorithm: 'hmac-sha256' } as const;
  const allowedNamespaces = { names: ['mail', 'untended'] };
  const names = zones.map(({ name }) => name).filter((name) => name !== 'wrongkey.test');
  const wrong = Buffer.alloc(32, 7).toString('base64');
  return [
    secret('wrong-key', operatorNamespace, { 'tsig-secret': wrong }),
    provider('more', { zones: [...names, 'bogus.test'], allowedNamespaces, rfc2136 }, 'dns-update-key'),
    provider('wrong', { zones: ['wrongkey.test'], allowedNamespaces, rfc2136 }, 'wrong-key'),
  ];
}
