/** kubectl and helm as a user would run them. */
import { dirname } from 'node:path';
import { run } from './command.ts';
import { toolPath } from './tools.ts';

/** Runs kubectl and resolves with its stdout; rejects with what it said when it fails. */
export function kubectl(kubeconfig: string, ...args: readonly string[]): Promise<string> {
  return run([toolPath('kubectl'), `--kubeconfig=${kubeconfig}`, ...args]);
}

/** Applies manifests given as YAML or JSON text, as `kubectl apply -f -`; resolves with kubectl's stdout. */
export function kubectlApply(kubeconfig: string, manifest: string, ...args: readonly string[]): Promise<string> {
  const command = [`--kubeconfig=${kubeconfig}`, 'apply', '-f', '-', ...args];
  return run([toolPath('kubectl'), ...command], { input: manifest });
}

/** Runs Helm, with its own files beside the kubeconfig instead of in the user's home; resolves with its stdout. */
export function helm(kubeconfig: string, ...args: readonly string[]): Promise<string> {
  const home = dirname(kubeconfig);
  const env = { HELM_CACHE_HOME: `${home}/helm`, HELM_CONFIG_HOME: `${home}/helm`, HELM_DATA_HOME: `${home}/helm` };
  return run([toolPath('helm'), '--kubeconfig', kubeconfig, ...args], { env });
}
