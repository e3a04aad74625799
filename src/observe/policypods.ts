import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { PolicyFetch } from '../pki/observed.ts';
import { isOfPublication } from '../policyshard/shard.ts';

/** Who serves a policy, and what the asker hopes to be shown. */
export interface PolicyQuestion {
  readonly domain: string;
  readonly address: string;
  readonly port: number;
  /** Tells pods apart that had the same address one after another. */
  readonly endpoint: string;
  readonly wanted: {
    /** Of the publication: the same body may be published anew, by another id. */
    readonly id: string;
    readonly body: string;
    readonly spkiSha256: string;
  };
  /** Milliseconds since 1970: when someone last asked for a fresh look. */
  readonly askedAt: number;
  /** Whether the certificate must lead to a trusted root: yes for what a sender would do. */
  readonly verify: boolean;
}

/** Fetches of policies, remembered per endpoint, so that a pod is asked again only while it shows something else. */
export interface PolicyWatch {
  readonly fetch: (question: PolicyQuestion) => Promise<PolicyFetch>;
}

export interface PolicyWatchOptions {
  readonly clock: Clock;
  readonly fetch: (target: Pick<PolicyQuestion, 'domain' | 'address' | 'port' | 'verify'>) => Promise<PolicyFetch>;
}

const steadyMs = 60 * 60 * 1000;
const mostRemembered = 100_000;

/** One is kept for each pod and domain: of what was wanted its digest is enough. */
const digestOf = ({ wanted }: PolicyQuestion): string =>
  createHash('sha256').update(`${wanted.spkiSha256} ${wanted.id}\n${wanted.body}`).digest('base64');

/** Only answers that were as wanted are worth remembering: one of an earlier publication changes within seconds. */
function isAsWanted(fetch: PolicyFetch, { body, id, spkiSha256 }: PolicyQuestion['wanted']): boolean {
  if (fetch.outcome !== 'Fetched' || fetch.body !== body || fetch.spkiSha256 !== spkiSha256) return false;
  return fetch.revision === undefined || isOfPublication(fetch.revision, body, id);
}

export function createPolicyWatch(options: PolicyWatchOptions): PolicyWatch {
  const seen = new Map<string, { readonly digest: string; readonly fetch: PolicyFetch }>();
  return {
    fetch: async (question) => {
      const key = `${question.endpoint} ${question.address} ${question.domain}`;
      const digest = digestOf(question);
      const memory = seen.get(key);
      const fresh = memory !== undefined && memory.fetch.at >= question.askedAt;
      if (fresh && memory.digest === digest && options.clock.now() - memory.fetch.at < steadyMs) return memory.fetch;
      seen.delete(key);
      const { domain, address, port, verify } = question;
      const fetch = await options.fetch({ domain, address, port, verify });
      if (isAsWanted(fetch, question.wanted)) seen.set(key, { digest, fetch });
      const [oldest] = seen.keys();
      if (seen.size > mostRemembered && oldest !== undefined) seen.delete(oldest);
      return fetch;
    },
  };
}
