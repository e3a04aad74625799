/** What the kernel says of a program in a container of the lab, whose processes are all to be seen from here. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

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

/** Programs of a lab without a node, each with a word of its command line. */
const programs = {
  'API server': '--etcd-servers',
  etcd: '--listen-client-urls',
  'name servers': 'named',
  resolvers: 'unbound',
  CA: 'pebble',
  'policy servers': 'policy-server',
} as const;
export type Program = keyof typeof programs;

/** Processor time that each has used so far, in seconds. */
export function cpuByProgram(): Readonly<Record<Program, number>> {
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => [Number(pid), readOr(`/proc/${pid}/cmdline`)] as const);
  const used = Object.entries(programs).map(([program, word]) => {
    const pids = lines.filter(([, line]) => line.includes(word)).map(([pid]) => pid);
    return [program, pids.reduce((sum, pid) => sum + (existsSync(`/proc/${pid}`) ? cpuSeconds(pid) : 0), 0)] as const;
  });
  return Object.fromEntries(used) as Record<Program, number>;
}

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
