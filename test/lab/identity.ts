/**
 * Names that say by themselves whether their owner still lives: a pid and the time at which it started, which no
 * later process with the same pid shares.
 */
import { readFileSync } from 'node:fs';

/** `<pid>-<start time in clock ticks since boot>`; the start time is 0 where there is no /proc. */
export function ownIdentity(): string {
  return `${process.pid}-${startTime(process.pid) ?? 0}`;
}

/** Whether the process with that identity is still running. */
export function isRunning(identity: string): boolean {
  const match = /^(\d+)-(\d+)$/.exec(identity);
  if (match === null) return false;
  const [pid, started] = [Number(match[1]), Number(match[2])];
  if (started !== 0) return startTime(pid) === started;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function startTime(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold spaces; the start time is field 22. A program
    // in state Z has ended, and its parent has not asked about it yet.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}
