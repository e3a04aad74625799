import { systemTimers, type Timers } from '../kube/timers.ts';
import type { Log } from '../log.ts';
import type { KeeperLimits } from './keeper.ts';

export interface AgentLimits extends KeeperLimits {
  /** Of one watch; then the Secret is read again and the mail server asked again. */
  readonly watchSeconds: number;
  readonly retryMs: number;
  readonly retryMostMs: number;
  /** Between two looks at a folder in which nothing seems to change. */
  readonly folderMs: number;
}

const agentLimits: AgentLimits = {
  watchSeconds: 300,
  settleMs: 15_000,
  retryInstallMs: 300_000,
  retryTlsaMs: 30_000,
  retryMs: 1000,
  retryMostMs: 60_000,
  folderMs: 30_000,
};

/** What an agent is told, wherever its pair comes from. */
export interface RunOptions {
  readonly configure: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly timers?: Timers;
  readonly limits?: Partial<AgentLimits>;
}

export function settingsOf({ timers = systemTimers, limits }: RunOptions): {
  readonly timers: Timers;
  readonly limits: AgentLimits;
} {
  return { timers, limits: { ...agentLimits, ...limits } };
}
