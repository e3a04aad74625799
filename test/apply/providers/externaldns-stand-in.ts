/** What external-dns does with DNSEndpoint objects, over records in memory: it publishes, and takes back what it published. */
import type { DNSEndpoint } from '../../../src/apply/providers/externaldns.ts';
import { parseTxt } from '../../../src/dns/txt.ts';
import { hasReason } from '../../../src/kube/error.ts';
import type { Kube } from '../../../src/kube/types.ts';
import type { FakeWorld } from '../../fakes/resolver.ts';

export interface ExternalDns {
  /** One round over all objects, as each of its intervals has one. */
  readonly round: () => Promise<void>;
}

const valueOf = (type: string, target: string): string => {
  const text = type === 'TXT' ? parseTxt(target) : undefined;
  return text?.ok === true ? text.value : target;
};

/** Of the objects it reads those that have `labels`, as with `--label-filter`. */
export function externalDns(
  kube: Kube,
  namespace: string,
  world: FakeWorld,
  labels: Readonly<Record<string, string>> = {},
): ExternalDns {
  const published = new Set<string>();
  return {
    round: async () => {
      const query = { apiVersion: 'externaldns.k8s.io/v1alpha1', kind: 'DNSEndpoint', namespace };
      const objects = (await kube.list<DNSEndpoint>(query)).filter(({ metadata }) =>
        Object.entries(labels).every(([label, value]) => metadata.labels?.[label] === value),
      );
      const wanted = new Map(
        objects
          .flatMap(({ spec }) => spec?.endpoints ?? [])
          .map(({ dnsName, recordType, targets }) => [
            `${dnsName} ${recordType}`,
            targets.map((target) => valueOf(recordType, target)),
          ]),
      );
      for (const key of published) {
        if (wanted.has(key)) continue;
        delete world.records[key];
        published.delete(key);
      }
      for (const [key, values] of wanted) {
        // What it does not own it leaves alone.
        if (world.records[key] !== undefined && !published.has(key)) continue;
        world.records[key] = values;
        published.add(key);
      }
      for (const { apiVersion, kind, metadata, status } of objects) {
        const { name, generation } = metadata;
        if (generation === undefined || status?.observedGeneration === generation) continue;
        const seen: DNSEndpoint = {
          apiVersion,
          kind,
          metadata: { name, namespace },
          status: { observedGeneration: generation },
        };
        try {
          await kube.apply(seen, { fieldManager: 'external-dns', subresource: 'status' });
        } catch (error) {
          // Deleted since it was listed: the next round takes its records back.
          if (!hasReason(error, 'NotFound')) throw error;
        }
      }
    },
  };
}
