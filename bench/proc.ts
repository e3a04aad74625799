/** What the kernel says of a program in a container of the lab, whose processes are all to be seen from here. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux says 100 on every platform that Node runs on. */
const ticksPerSecond = 100;

/** Pids of the containers that run a program of ours: `operator`, `policy-server`. */
export function containersOf(program: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const words = readOr(`/proc/${pid}/cmdline`).split('\0');
      return words[0] === '/node' && words[words.indexOf('/app/main.js') + 1] === program;
    })
    .map(Number);
}

/** In MB of 1024² bytes; of them `anonymous` are its own and not the program file's, which containers share. */
export function residentMegabytes(pid: number): { readonly all: number; readonly anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { all: read('VmRSS'), anonymous: read('RssAnon') };
}

/** Processor time used so far. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Processor time used so far by all that runs in these namespaces, in seconds, by what it is. */
export function cpuByProgram(): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const words = readOr(`/proc/${pid}/cmdline`).split('\0');
    const name = programs.find((one) => words.some((word) => word.includes(one)));
    if (name !== undefined) used.set(name, (used.get(name) ?? 0) + cpuSeconds(Number(pid)));
  }
  return used;
}

/** By words of their command lines; the first that fits counts. */
const programs = [
  '--etcd-servers',
  '--listen-client-urls',
  'policy-server',
  'pebble',
  'named',
  'unbound',
  'converge.ts',
];

/** Seconds since it was started, to a hundredth. */
export function ageSeconds(pid: number): number {
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  return uptime - Number(statFields(pid)[19]) / ticksPerSecond;
}

/** The pod's IPv4 address, as the kernel of its network namespace has it; undefined before it has one. */
export function podAddress(pid: number): string | undefined {
  const local = /\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL/g;
  const found = [...readOr(`/proc/${pid}/net/fib_trie`).matchAll(local)].map(([, address]) => address);
  return found.find((address) => address !== undefined && !address.startsWith('127.'));
}

/** The fields of `stat` from the third (state) on: the second may hold blanks. */
function statFields(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Empty where the process has ended meanwhile. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
