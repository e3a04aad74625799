/** `mailseal agent run`: follows one Secret and keeps one mail server presenting what it holds. */
import type { Attestation } from '../api/attestation.ts';
import { createKube, type KubeClient } from '../kube/client.ts';
import { backoff, pause, systemRandom } from '../kube/timers.ts';
import type { SecretObject } from '../kube/types.ts';
import { messageOf } from '../errors.ts';
import { accessOf, type AgentFile, readAgentFile, writeAgentFile } from './agent-file.ts';
import { followOnce } from './follow.ts';
import { createKeeper, type Kept } from './keeper.ts';
import { pairOf } from './pair.ts';
import { createReport } from './report.ts';
import { type RunOptions, settingsOf } from './run-options.ts';
import { userAgent } from './user-agent.ts';

export interface AgentOptions extends RunOptions {
  /** Path of the agent file; rewritten when the token is renewed. */
  readonly config: string;
}

/** Resolves when the signal aborts. Rejects only when the agent file can't be used. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { log, signal } = options;
  const { timers, limits } = settingsOf(options);
  let file = await readAgentFile(options.config);
  const current = (): AgentFile => file;
  const kube = createKube(accessOf(current), { userAgent, timers });
  const keeper = createKeeper({ ...options, installation: file, timers, limits });
  const report = createReport(kube, current, log);
  let last: SecretObject | undefined;
  const offer = (secret: SecretObject): Promise<Kept> => keeper.offer(() => pairOf(secret, timers.now()));
  const keep = async (secret: SecretObject): Promise<boolean> => {
    last = secret;
    const kept = await offer(secret);
    await report.attest(attestationOf(file.host, kept, timers.now()));
    return kept.waits;
  };
  const renew = async (): Promise<void> => {
    if (!tokenIsDue(file, timers.now())) return;
    file = await renewed(file, kube, timers.now());
    await writeAgentFile(options.config, file);
    log.info('token renewed', { expires: new Date(file.tokenExpires).toISOString() });
  };
  let failures = 0;
  try {
    while (!signal.aborted) {
      try {
        await renew();
        await followOnce({ kube, current, timers, limits, signal, keep });
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        log.warn(failureText(error, options.config), { failures });
        // The mail server is looked after while the API is away.
        if (last !== undefined) await offer(last);
        await pause(timers, backoff(failures, limits.retryMs, limits.retryMostMs, systemRandom), signal);
        failures += 1;
      }
    }
  } finally {
    keeper.close();
    kube.close();
  }
}

function attestationOf(host: string, { presented, revision, error }: Kept, at: number): Attestation {
  return {
    host,
    at,
    ...(presented.seen === 'Leaf' ? { presents: presented.leaf } : {}),
    ...(revision === undefined ? {} : { secretRevision: revision }),
    ...(error === undefined ? {} : { error: error.slice(0, 1500) }),
  };
}

/** Half of its life is over: enough is left to try for long. */
export function tokenIsDue(file: AgentFile, now: number): boolean {
  return now >= (file.tokenIssued + file.tokenExpires) / 2;
}

async function renewed(file: AgentFile, kube: KubeClient, now: number): Promise<AgentFile> {
  const account = { namespace: file.namespace, name: file.serviceAccount };
  const expirationSeconds = Math.max(600, Math.round((file.tokenExpires - file.tokenIssued) / 1000));
  const { token, expires } = await kube.createToken(account, { expirationSeconds });
  return { ...file, token, tokenIssued: now, tokenExpires: expires };
}

function failureText(error: unknown, config: string): string {
  const status = (error as { readonly status?: number }).status;
  if (status === 401) return `the API server no longer accepts our token: enroll this host again and replace ${config}`;
  if (status === 403) return `a right is missing (${messageOf(error)}): enroll this host again to restore it`;
  return `the Kubernetes API can't be followed, trying again: ${messageOf(error)}`;
}
