/** kubectl and helm as a user would run them: those that the set-up built, else the machine's own. */
import { join } from 'node:path';
import { run } from './command.ts';
import { labDir } from './namespace.ts';
import { builtTool } from './tools.ts';

const kubectlCommand = (): string => builtTool('kubectl') ?? 'kubectl';

/**
 * Runs kubectl and resolves with its stdout; rejects with what it said when it fails. `kubeconfig` may be a list of
 * files, as the variable KUBECONFIG may.
 */
export function kubectl(kubeconfig: string, ...args: readonly string[]): Promise<string> {
  return run([kubectlCommand(), ...args], { env: { KUBECONFIG: kubeconfig } });
}

/** Applies manifests given as YAML or JSON text, as `kubectl apply -f -`; resolves with kubectl's stdout. */
export function kubectlApply(kubeconfig: string, manifest: string, ...args: readonly string[]): Promise<string> {
  return run([kubectlCommand(), 'apply', '-f', '-', ...args], { env: { KUBECONFIG: kubeconfig }, input: manifest });
}

/** Runs Helm, with files of its own in the lab's folder instead of the user's home; resolves with its stdout. */
export function helm(kubeconfig: string, ...args: readonly string[]): Promise<string> {
  const home = join(labDir(), 'helm');
  const env = { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home, KUBECONFIG: kubeconfig };
  return run([builtTool('helm') ?? 'helm', ...args], { env });
}
