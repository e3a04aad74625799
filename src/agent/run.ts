/** `mailseal agent run`: follows one Secret and keeps one mail server presenting what it holds. */
import type { Attestation } from '../api/attestation.ts';
import { messageOf } from '../errors.ts';
import { createKube, type KubeClient } from '../kube/client.ts';
import { backoff, pause, systemRandom, systemTimers, type Timers } from '../kube/timers.ts';
import type { ListQuery, SecretObject } from '../kube/types.ts';
import type { Log } from '../log.ts';
import { accessOf, type AgentFile, readAgentFile, writeAgentFile } from './agent-file.ts';
import { install, type Installed } from './install.ts';
import { type Pair, pairOf } from './pair.ts';
import { createPostfix } from './postfix.ts';
import { createLook } from './presented.ts';
import { createReport } from './report.ts';
import { userAgent } from './user-agent.ts';

export interface AgentLimits {
  /** Of one watch; then the Secret is read again and the mail server asked again. */
  readonly watchSeconds: number;
  readonly settleMs: number;
  /** Before a pair that was rolled back is tried again. */
  readonly retryInstallMs: number;
  readonly retryMs: number;
  readonly retryMostMs: number;
}

const agentLimits: AgentLimits = {
  watchSeconds: 300,
  settleMs: 15_000,
  retryInstallMs: 300_000,
  retryMs: 1000,
  retryMostMs: 60_000,
};

export interface AgentOptions {
  /** Path of the agent file; rewritten when the token is renewed. */
  readonly config: string;
  readonly configure: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly timers?: Timers;
  readonly limits?: Partial<AgentLimits>;
}

/** Resolves when the signal aborts. Rejects only when the agent file can't be used. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { log, signal, timers = systemTimers } = options;
  const limits = { ...agentLimits, ...options.limits };
  let file = await readAgentFile(options.config);
  const current = (): AgentFile => file;
  const kube = createKube(accessOf(current), { userAgent, timers });
  const keep = createKeeper({ ...options, kube, current, timers, limits });
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
        await followOnce({ kube, current, timers, limits, signal, keep: keep.keep });
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        log.warn(failureText(error, options.config), { failures });
        await keep.again();
        await pause(timers, backoff(failures, limits.retryMs, limits.retryMostMs, systemRandom), signal);
        failures += 1;
      }
    }
  } finally {
    kube.close();
  }
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

interface Following {
  readonly kube: KubeClient;
  readonly current: () => AgentFile;
  readonly timers: Timers;
  readonly limits: AgentLimits;
  readonly signal: AbortSignal;
  readonly keep: (secret: SecretObject) => Promise<void>;
}

/** Reads the Secret, then follows it until the watch ends. Rejects with KubeError. */
async function followOnce({ kube, current, timers, limits, signal, keep }: Following): Promise<void> {
  const { namespace, secretName, tokenIssued, tokenExpires } = current();
  const query: ListQuery = {
    apiVersion: 'v1',
    kind: 'Secret',
    namespace,
    fieldSelector: `metadata.name=${secretName}`,
  };
  const page = await kube.listPage<SecretObject>(query, { limit: 1, signal });
  for (const secret of page.items) await keep(secret);
  const untilRenewal = Math.ceil(((tokenIssued + tokenExpires) / 2 - timers.now()) / 1000);
  const timeoutSeconds = Math.max(5, Math.min(limits.watchSeconds, untilRenewal));
  // A connection that died without a word ends here.
  const late = AbortSignal.timeout((timeoutSeconds + 30) * 1000);
  const broken = new AbortController();
  let work: Promise<void> = Promise.resolve();
  try {
    await kube.watch<SecretObject>(query, page.resourceVersion, {
      onEvent: ({ type, object }) => {
        if (type !== 'ADDED' && type !== 'MODIFIED') return;
        work = work.then(() => keep(object));
        work.catch(() => broken.abort());
      },
      signal: AbortSignal.any([signal, late, broken.signal]),
      timeoutSeconds,
    });
  } finally {
    await work;
  }
}

interface Keeper {
  /** Never rejects for what is wrong with Secret or mail server: that is attested. Rejects with KubeError. */
  readonly keep: (secret: SecretObject) => Promise<void>;
  /** The same for the last Secret seen, while the API is away; never rejects. */
  readonly again: () => Promise<void>;
}

type KeeperParts = AgentOptions & Omit<Following, 'keep'>;

function createKeeper({ kube, current, timers, limits, log, signal, configure }: KeeperParts): Keeper {
  const clock = { now: timers.now };
  const postfix = createPostfix(current().postfixDir);
  const look = createLook(current, postfix, clock);
  const report = createReport(kube, current, log);
  let last: SecretObject | undefined;
  let refused: { readonly revision: string; readonly until: number; readonly why: string } | undefined;

  const installOne = async (pair: Pair): Promise<Installed> => {
    if (refused?.revision === pair.revision && timers.monotonic() < refused.until) {
      return { presented: await look(), error: refused.why };
    }
    const { files } = current();
    const done = await install(pair, {
      postfix,
      files,
      look,
      configure,
      timers,
      log,
      settleMs: limits.settleMs,
      signal,
    });
    if (done.error === undefined) refused = undefined;
    else {
      refused = { revision: pair.revision, until: timers.monotonic() + limits.retryInstallMs, why: done.error };
      log.error('the certificate is not in use', { revision: pair.revision, problem: done.error });
    }
    return done;
  };
  const attestationOf = async (secret: SecretObject): Promise<Attestation> => {
    let pair: Pair | undefined;
    let done: Installed;
    try {
      pair = pairOf(secret, timers.now());
      done = await installOne(pair);
    } catch (error) {
      log.error('the Secret is not used', { problem: messageOf(error) });
      done = { presented: await look(), error: messageOf(error) };
    }
    return {
      host: current().host,
      at: timers.now(),
      ...(done.presented.seen === 'Leaf' ? { presents: done.presented.leaf } : {}),
      ...(pair === undefined ? {} : { secretRevision: pair.revision }),
      ...(done.error === undefined ? {} : { error: done.error.slice(0, 1500) }),
    };
  };
  const keep = async (secret: SecretObject): Promise<void> => {
    last = secret;
    await report.attest(await attestationOf(secret));
  };
  const again = async (): Promise<void> => {
    if (last === undefined) return;
    try {
      await attestationOf(last);
    } catch (error) {
      log.error('the mail server could not be looked after', { problem: messageOf(error) });
    }
  };
  return { keep, again };
}

function failureText(error: unknown, config: string): string {
  const status = (error as { readonly status?: number }).status;
  if (status === 401) return `the API server no longer accepts our token: enroll this host again and replace ${config}`;
  if (status === 403) return `a right is missing (${messageOf(error)}): enroll this host again to restore it`;
  return `the Kubernetes API can't be followed, trying again: ${messageOf(error)}`;
}
