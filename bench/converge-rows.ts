/** What a bench of many domains found, as rows. */
import type { Floor } from './converge-floor.ts';
import { compared, type Row, row } from './report.ts';

export interface Found {
  readonly size: number;
  readonly seconds: number;
  readonly floor: Floor;
  readonly cpu: number;
  /** Processor time of the other programs of the lab meanwhile, in seconds. */
  readonly others: Readonly<Record<string, number>>;
  readonly megabytes: number;
  readonly peakMegabytes: number;
  readonly healthP99Ms: number;
  readonly writes: number;
  /** Of the operator at domains, until all are Ready. */
  readonly looks: number;
  readonly reads: number;
  /** That the primary name server was asked, by whomever. */
  readonly questions: number;
  readonly acme: number;
  readonly dns: number;
  readonly idleWrites: number;
  readonly idleShare: number;
}

export function rowsOf(found: Found, idleSeconds: number): readonly Row[] {
  const { size, floor } = found;
  const each = (count: number): number => count / size;
  const large = size >= 1000;
  return [
    compared(`${size}: all Ready`, found.seconds, floor.seconds, 's', size === 1000 ? 1.5 : null),
    row(`${size}: processor time a domain`, each(found.cpu) * 1000, 'ms', null, each(floor.cpuSeconds) * 1000),
    ...Object.entries(found.others).map(([name, seconds]) =>
      row(`${size}: ${name}: processor time a domain`, each(seconds) * 1000, 'ms', null),
    ),
    row(`${size}: resident when idle`, found.megabytes, 'MB', size === 1000 ? 160 : null),
    row(`${size}: resident at most`, found.peakMegabytes, 'MB', null),
    row(`${size}: /healthz answered meanwhile, p99`, found.healthP99Ms, 'ms', null),
    row(`${size}: Kubernetes writes a domain`, each(found.writes), 'writes', 12),
    row(`${size}: looks a domain`, each(found.looks), 'looks', null),
    row(`${size}: Kubernetes reads a domain`, each(found.reads), 'reads', null),
    row(`${size}: questions at the primary name server a domain`, each(found.questions), 'questions', null),
    row(`${size}: ACME requests a domain`, each(found.acme), 'requests', 8, each(floor.acmeRequests)),
    row(`${size}: DNS updates a domain`, each(found.dns), 'messages', null, each(floor.dnsUpdates)),
    row(`${size}: idle for ${idleSeconds} s, writes but the Lease's`, found.idleWrites, 'writes', 0),
    row(`${size}: idle, processor`, found.idleShare, '% of a core', large ? 0.5 : null),
  ];
}

/** How costs grow from the smallest to the largest number of domains. */
export function growth(all: readonly Found[]): readonly Row[] {
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  const before = all.at(-2) ?? first;
  const perDomain = ({ cpu, size }: Found): number => (cpu / size) * 1000;
  const kib = ((last.megabytes - before.megabytes) * 1024) / (last.size - before.size);
  return [
    compared(
      `processor time a domain at ${last.size}, beside ${first.size}`,
      perDomain(last),
      perDomain(first),
      'ms',
      1.2,
    ),
    row(`resident a further domain, ${before.size} to ${last.size}`, kib, 'KiB', last.size < 5000 ? null : 15),
  ];
}
