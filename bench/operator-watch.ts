/** What an operator says of itself while a bench goes on. */
import { waitFor } from '../test/lab/process.ts';
import type { Running } from '../test/lab/process.ts';
import { residentMegabytes } from './proc.ts';

interface Watched {
  readonly operator: Running;
  /** `http://HOST:PORT` of its metrics and health. */
  readonly operatorUrl: string;
}

/** Asks the operator for its health ten times a second: what its event loop makes a request wait. */
export function watchHealth({
  operatorUrl,
  operator,
}: Watched): () => { readonly p99Ms: number; readonly peakMegabytes: number } {
  const taken: number[] = [];
  let peakMegabytes = 0;
  let busy = false;
  const look = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    const asked = performance.now();
    try {
      await (await fetch(`${operatorUrl}/healthz`)).text();
      taken.push(performance.now() - asked);
      peakMegabytes = Math.max(peakMegabytes, residentMegabytes(operator.pid).all);
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void look(), 100);
  return () => {
    clearInterval(timer);
    const sorted = taken.toSorted((a, b) => a - b);
    return { p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN, peakMegabytes };
  };
}

/** A counter of the operator's, summed over the labels that `fits` takes: cheap enough to be asked for often. */
async function counter({ operatorUrl }: Watched, name: string, fits: (labels: string) => boolean): Promise<number> {
  const text = await (await fetch(`${operatorUrl}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\d+)$`, 'gm'))]
    .filter(([, labels = '']) => fits(labels))
    .reduce((sum, [, , count]) => sum + Number(count), 0);
}

const isRead = (labels: string): boolean => /method="(GET|LIST|WATCH)"/i.test(labels);
const requests = 'rest_client_requests_total';

/** What the operator itself counts: looks at objects of a kind, and reads of the API. */
export async function ownCounts(
  lab: Watched,
  controller: 'domain' | 'exchanger',
): Promise<{ readonly looks: number; readonly reads: number }> {
  const [looks, reads] = await Promise.all([
    counter(lab, 'controller_runtime_reconcile_total', (labels) => labels.includes(`controller="${controller}"`)),
    counter(lab, requests, isRead),
  ]);
  return { looks, reads };
}

/** Resolves when nothing has been written for so long that statuses which were held back are out. */
export async function settled(lab: Watched, quietMs: number): Promise<void> {
  const last = { writes: -1, since: performance.now() };
  const quiet = async (): Promise<boolean> => {
    const writes = await counter(lab, requests, (labels) => !isRead(labels) && !labels.includes('leases'));
    if (writes !== last.writes) Object.assign(last, { writes, since: performance.now() });
    return performance.now() - last.since > quietMs;
  };
  await waitFor('the operator has nothing more to do', quiet, { timeoutMs: 600_000, everyMs: 2000 });
}
