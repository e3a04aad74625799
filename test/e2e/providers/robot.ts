/**
 * The human who does what `status.requiredRecords` says, and nothing else: publishes by nsupdate what is not seen yet,
 * removes what is to be removed, and asks for a fresh look then.
 */
import { apiVersion, type MailDomain, type MailExchanger, type RequiredRecord } from '../../../src/api/types.ts';
import type { Ref } from '../../../src/kube/types.ts';
import { tenant } from '../../faults/cluster.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { Bind } from '../../lab/dns.ts';
import { contentOf } from '../../apply/providers/ground.ts';
import { domains, type WayName } from './names.ts';

export interface Deed {
  readonly way: WayName;
  /** The serial of the zone, before and after. */
  readonly serials: readonly [number, number];
  readonly record: RequiredRecord;
}

export interface Robot {
  readonly deeds: () => readonly Deed[];
  /** Rejects with what went wrong in the meantime. */
  readonly stop: () => Promise<void>;
}

const everyMs = 200;
/** Whoever waits for the next line of a list keeps it short. */
const ttl = 1;

export function startRobot(kube: KubeClient, bind: Bind, ways: readonly WayName[]): Robot {
  const deeds: Deed[] = [];
  const done = new Map<string, string>();
  const stopping = new AbortController();

  const obey = async (way: WayName, record: RequiredRecord): Promise<boolean> => {
    const { name, type, values, ttlSeconds = ttl } = record;
    const wanted = JSON.stringify(values);
    const key = `${name} ${type}`;
    if (record.seen || done.get(key) === wanted) return false;
    const zone = domains[way];
    const added = values.map((value) => `update add ${name}. ${ttlSeconds} ${type} ${contentOf(type, value)}`);
    const before = await bind.serial(zone);
    await bind.dynamicUpdate([`zone ${zone}`, `update delete ${name}. ${type}`, ...added].join('\n'));
    deeds.push({ way, record, serials: [before, await bind.serial(zone)] });
    done.set(key, wanted);
    return true;
  };
  const round = async (): Promise<void> => {
    for (const way of ways) {
      for (const kind of ['MailDomain', 'MailExchanger'] as const) {
        const ref = { apiVersion, kind, namespace: tenant, name: way };
        const object = await kube.get<MailDomain | MailExchanger>(ref);
        let acted = false;
        for (const record of object?.status?.requiredRecords ?? []) acted = (await obey(way, record)) || acted;
        if (acted) await requestLook(kube, ref);
      }
    }
  };
  const working = (async () => {
    while (!stopping.signal.aborted) {
      await round();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  working.catch(() => undefined);
  return {
    deeds: () => deeds,
    stop: async () => {
      stopping.abort();
      await working;
    },
  };
}

/** `kubectl annotate … mailseal.dev/requested-at=…`; resolves with the value. */
export async function requestLook(kube: KubeClient, { apiVersion, kind, namespace, name }: Ref): Promise<string> {
  const at = new Date().toISOString();
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    annotations: { 'mailseal.dev/requested-at': at },
  };
  await kube.apply({ apiVersion, kind, metadata }, { fieldManager: 'asks' });
  return at;
}
