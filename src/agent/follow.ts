import type { KubeClient } from '../kube/client.ts';
import type { Timers } from '../kube/timers.ts';
import type { ListQuery, SecretObject } from '../kube/types.ts';
import type { AgentFile } from './agent-file.ts';
import type { AgentLimits } from './run-options.ts';

interface Following {
  readonly kube: KubeClient;
  readonly current: () => AgentFile;
  readonly timers: Timers;
  readonly limits: AgentLimits;
  readonly signal: AbortSignal;
  /** Resolves with whether the Secret is to be read again soon. */
  readonly keep: (secret: SecretObject) => Promise<boolean>;
}

/** Reads the Secret, then follows it until the watch ends. Rejects with KubeError. */
export async function followOnce({ kube, current, timers, limits, signal, keep }: Following): Promise<void> {
  const { namespace, secretName, tokenIssued, tokenExpires } = current();
  const fieldSelector = `metadata.name=${secretName}`;
  const query: ListQuery = { apiVersion: 'v1', kind: 'Secret', namespace, fieldSelector };
  const page = await kube.listPage<SecretObject>(query, { limit: 1, signal });
  let soon = false;
  for (const secret of page.items) soon = await keep(secret);
  const untilRenewal = Math.ceil(((tokenIssued + tokenExpires) / 2 - timers.now()) / 1000);
  const longest = soon ? Math.ceil(limits.retryTlsaMs / 1000) : limits.watchSeconds;
  const timeoutSeconds = Math.max(soon ? 1 : 5, Math.min(longest, untilRenewal));
  // A connection that died without a word ends here.
  const late = AbortSignal.timeout((timeoutSeconds + 30) * 1000);
  const broken = new AbortController();
  const again = new AbortController();
  let work: Promise<void> = Promise.resolve();
  const follow = async (secret: SecretObject): Promise<void> => {
    if (await keep(secret)) again.abort();
  };
  try {
    await kube.watch<SecretObject>(query, page.resourceVersion, {
      onEvent: ({ type, object }) => {
        if (type !== 'ADDED' && type !== 'MODIFIED') return;
        work = work.then(() => follow(object));
        work.catch(() => broken.abort());
      },
      signal: AbortSignal.any([signal, late, broken.signal, again.signal]),
      timeoutSeconds,
    });
  } catch (error) {
    if (!again.signal.aborted) throw error;
  } finally {
    await work;
  }
}
