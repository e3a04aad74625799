import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../errors.ts';
import { type Ended, runCommand } from './command.ts';

/** Sends SIGHUP to the daemon that wrote the file; a pid that is somebody else's by now gets none. Never rejects. */
export async function hangUp(pidFile: string, program: string): Promise<Ended> {
  try {
    const pid = /^\s*(\d+)/u.exec(await readFile(pidFile, 'utf8'))?.[1];
    if (pid === undefined) return { ok: false, said: `${pidFile} names no process` };
    const [command = ''] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    if (!command.includes(program)) return { ok: false, said: `process ${pid} of ${pidFile} is not ${program}` };
    if (!(await catchesHangUp(pid))) return { ok: false, said: `${program} is still starting: SIGHUP would end it` };
    return await runCommand('kill', ['-HUP', pid]);
  } catch (error) {
    return { ok: false, said: `it does not seem to run: ${messageOf(error)}` };
  }
}

const startMs = 15_000;

/** A daemon that SIGHUP starts anew does not catch the next one before it has started. */
async function catchesHangUp(pid: string): Promise<boolean> {
  for (let waited = 0; waited < startMs; waited += 100) {
    const mask = /^SigCgt:\s*([0-9a-f]+)$/mu.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
    // SIGHUP is signal 1, the lowest bit.
    if (Number.parseInt(mask?.at(-1) ?? '0', 16) % 2 === 1) return true;
    await pause(100);
  }
  return false;
}
