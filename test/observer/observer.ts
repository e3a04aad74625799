/**
 * An observer that knows the product by its promises alone: it looks at the API, the name servers, the MX hosts and the
 * policy pods the whole time, is shown what an operator writes, and says in sentences which invariant was broken.
 */
import { type Api, watchKube } from './kube.ts';
import { presentedChain, servedPolicy } from './looks.ts';
import { pairs, validity } from './rules/certificates.ts';
import { deletions } from './rules/deletion.ts';
import { foreignObjects, foreignRecords } from './rules/foreign.ts';
import { type Deadline, deadlines, shutGates } from './rules/gates.ts';
import { openOrders } from './rules/orders.ts';
import { policyHosts } from './rules/policy-hosts.ts';
import { policyIds } from './rules/policy-id.ts';
import { lastKnownGood, promises } from './rules/promise.ts';
import { readiness } from './rules/ready.ts';
import { cachedTlsa, deliveredKeys } from './rules/tlsa.ts';
import { oneWriter, quiet } from './rules/writes.ts';
import { addedText } from './update.ts';
import type { Invariant, MakeRule, Scene, Sighting, Told, Wire } from './sightings.ts';
import { watchZone } from './zone.ts';

export interface ObserverSpec extends Scene {
  readonly api: Api;
  /** Zones that hold the domains and their hosts. */
  readonly zones: readonly string[];
  readonly deadlines?: readonly Deadline[];
  /** Milliseconds between looks at name servers and pods; 200 when absent. At the MX hosts it looks less often. */
  readonly everyMs?: number;
  /** Milliseconds since 1970; the machine's clock when absent. */
  readonly now?: () => number;
}

interface PassedWrite {
  readonly wire: Wire;
  readonly what: string;
  readonly body: Buffer;
}

/** What is shown of one operator's writes. */
export interface Wires {
  /** Before a write that will be forwarded: it waits until the pods were looked at, where it announces a policy. */
  readonly before: (write: PassedWrite) => Promise<void>;
  readonly after: (write: PassedWrite, accepted: boolean) => void;
}

export interface Observer {
  /** Sentences such as `I1 at 12.3 s: …`, in the order in which they were found. */
  readonly problems: () => readonly string[];
  readonly told: (told: Told) => void;
  /** For the doors of an operator; `by` is what it is called in sentences. */
  readonly wires: (by?: string) => Wires;
  /** One look at everything, so that nothing that stands now goes unseen. */
  readonly look: () => Promise<void>;
  /** Looks once more, and at all there is in the zones, and ends. */
  readonly stop: () => Promise<void>;
}

const rules: readonly MakeRule[] = [
  cachedTlsa,
  deliveredKeys,
  policyIds,
  policyHosts,
  promises,
  lastKnownGood,
  foreignRecords,
  foreignObjects,
  openOrders,
  pairs,
  validity,
  readiness,
  deletions,
  quiet,
  oneWriter,
  shutGates,
];

/** Between looks at the name servers and the pods. */
const usualMs = 200;
/** At the MX hosts each look is a process more. */
const mailShare = 2.5;
/** Sentences of one invariant that are kept. */
const most = 5;

/** Resolves when everything was looked at once: what stands now is what stood before the product came. */
export async function startObserver(spec: ObserverSpec): Promise<Observer> {
  const now = spec.now ?? Date.now;
  const began = now();
  const verdicts = createVerdicts(began);
  const all = [...rules, deadlines(spec.deadlines ?? [])].map((make) => make(spec, verdicts.say));
  const see = (sighting: Sighting): void => {
    for (const rule of all) rule(sighting);
  };
  const look = createLooks(spec, now, see);
  const kube = watchKube(spec.api, (change, thing) => see({ of: 'object', at: now(), change, thing }));
  const stopping = new AbortController();
  try {
    await kube.listed;
    await Promise.all([...spec.domains.map(look.walk), look.servers(), look.pods(), look.hosts()]);
  } catch (error) {
    kube.stop();
    throw error;
  }
  const everyMs = spec.everyMs ?? usualMs;
  const loops = [
    repeat(everyMs, look.servers, stopping.signal),
    repeat(everyMs, look.pods, stopping.signal),
    repeat(everyMs * mailShare, look.hosts, stopping.signal),
    repeat(everyMs, async () => see({ of: 'tick', at: now() }), stopping.signal),
  ];
  const everything = async (): Promise<void> => void (await Promise.all([look.servers(), look.pods(), look.hosts()]));
  return {
    problems: verdicts.problems,
    told: (told) => {
      if (told.is === 'excused' || told.is === 'counts') verdicts.judge(told.invariant, told.is === 'counts');
      see({ of: 'told', at: now(), told });
    },
    wires: (by = 'the operator') => wiresOf(by, { spec, now, see, pods: look.pods }),
    look: everything,
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
      await Promise.all([everything(), ...spec.domains.map(look.walk)]).finally(kube.stop);
      see({ of: 'tick', at: now() });
    },
  };
}

interface Verdicts {
  readonly say: (invariant: Invariant, at: number, sentence: string) => void;
  readonly judge: (invariant: Invariant, counts: boolean) => void;
  readonly problems: () => readonly string[];
}

function createVerdicts(began: number): Verdicts {
  const problems: string[] = [];
  const said = new Map<Invariant, Set<string>>();
  const excused = new Set<Invariant>();
  return {
    say: (invariant, at, sentence) => {
      const known = said.get(invariant) ?? new Set();
      said.set(invariant, known);
      // Figures alone make no new sentence.
      const shape = sentence.replaceAll(/\b\d+ s\b/gu, 's');
      if (excused.has(invariant) || known.has(shape) || known.size >= most) return;
      known.add(shape);
      problems.push(`${invariant} at ${((at - began) / 1000).toFixed(1)} s: ${sentence}`);
    },
    judge: (invariant, counts) => void (counts ? excused.delete(invariant) : excused.add(invariant)),
    problems: () => problems,
  };
}

interface Looks {
  readonly servers: () => Promise<void>;
  readonly pods: () => Promise<void>;
  readonly hosts: () => Promise<void>;
  readonly walk: (domain: string) => Promise<void>;
}

function createLooks(spec: ObserverSpec, now: () => number, see: (sighting: Sighting) => void): Looks {
  const zone = watchZone(spec, spec.zones, { now, seen: see });
  const pod = async (address: string, domain: string): Promise<void> => {
    const from = now();
    const { answer, chain } = await servedPolicy(address, domain);
    see({ of: 'served', pod: address, domain, answer, chain, from, to: now() });
  };
  let named = false;
  const host = async ({ host, address }: Scene['hosts'][number], sni: boolean): Promise<void> => {
    const from = now();
    const chain = await presentedChain(address, sni ? host : undefined);
    see({ of: 'presented', host, address, chain, from, to: now() });
  };
  return {
    // A server that does not answer shows nothing, and what it showed counts until its TTL is over.
    servers: async () => void (await Promise.allSettled(spec.servers.map(zone.look))),
    pods: async () => {
      await Promise.all(spec.domains.flatMap((domain) => spec.pods.map((address) => pod(address, domain))));
    },
    hosts: async () => {
      named = !named;
      await Promise.all(spec.hosts.map((one) => host(one, named)));
    },
    walk: zone.walk,
  };
}

interface WireParts {
  readonly spec: ObserverSpec;
  readonly now: () => number;
  readonly see: (sighting: Sighting) => void;
  readonly pods: () => Promise<void>;
}

function wiresOf(by: string, { spec, now, see, pods }: WireParts): Wires {
  return {
    before: async (write) => {
      see({ of: 'write', at: now(), stage: 'Arrives', by, ...write });
      if (write.wire !== 'dns') return;
      const announces = spec.domains.some((domain) => addedText(write.body, `_mta-sts.${domain}`) !== undefined);
      if (announces) await pods();
    },
    after: (write, accepted) => see({ of: 'write', at: now(), stage: accepted ? 'Done' : 'Refused', by, ...write }),
  };
}

async function repeat(everyMs: number, what: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await what();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, everyMs);
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}
