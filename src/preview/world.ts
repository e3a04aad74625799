/** A world that can be looked at and not changed. */
import { createClaims } from '../apply/claims.ts';
import type { Acme } from '../apply/acme.ts';
import type { Provider } from '../apply/providers/provider.ts';
import { guardWrites } from '../kube/guard.ts';
import { createProber } from '../observe/prober.ts';
import type { PolicyFetch } from '../pki/observed.ts';
import type { World } from '../world.ts';
import { draftingKube, neverWrites } from './kube.ts';

export interface HarmlessOptions {
  /** Whether MX hosts and the policy's public address are connected to. */
  readonly probe: boolean;
}

export interface HarmlessWorld {
  readonly world: World;
  /** Lets go of connections that are kept. */
  readonly close: () => void;
}

const refuse = async (): Promise<never> => neverWrites() as never;

/** Stands in for the CA: an account of ours would be made by the first question. */
const silentCa: Acme = {
  register: refuse,
  newOrder: refuse,
  answer: refuse,
  poll: refuse,
  finalize: refuse,
  certificate: refuse,
  close: async () => undefined,
};

/**
 * The same world, of which Kubernetes, providers and CAs are only asked: whatever else is tried rejects. Claims are taken
 * in memory; an order that is open is not looked up at the CA.
 */
export function harmless(world: World, { probe }: HarmlessOptions): HarmlessWorld {
  const kube = guardWrites(world.kube, neverWrites);
  const opened = new Set<Provider>();
  const providerOf: World['providerOf'] = async (name) => {
    const provider = await world.providerOf(name);
    opened.add(provider);
    return { ...provider, apply: refuse };
  };
  const issuerOf: World['issuerOf'] = async (name) => {
    const issuer = world.cache.issuers().find(({ metadata }) => metadata.name === name);
    return issuer?.spec.acme === undefined ? world.issuerOf(name) : { kind: 'acme', name, acme: silentCa };
  };
  const quiet: World = {
    ...world,
    kube,
    store: { ...world.store, save: refuse, remove: refuse },
    shards: { ...world.shards, serve: refuse, unserve: refuse },
    zoneWriter: { ...world.zoneWriter, submit: refuse },
    statusWriter: { ...world.statusWriter, write: refuse },
    events: { record: async () => undefined },
    claims: createClaims(draftingKube(kube), world.namespace, world.clock),
    providerOf,
    issuerOf,
    orders: { ...world.orders, view: async () => undefined },
    policyWatch: { fetch: createFetch(world, probe) },
    ...(probe ? {} : { prober: silentProber(world) }),
  };
  return { world: quiet, close: () => opened.forEach((provider) => provider.close?.()) };
}

/** Milliseconds after which a policy pod counts as out of reach. */
const patientMs = 2000;
const notAsked = 'it was not asked (--no-probe)';

const silentProber = ({ outside: resolver, allow, clock }: World): World['prober'] =>
  createProber({
    resolver,
    allow,
    clock,
    probe: async ({ host, address }) => {
      const result = { outcome: 'Unknown', detail: `${address}: ${notAsked}` } as const;
      return { host, address, port: 25, at: clock.now(), result };
    },
  });

/** Pods are seldom reached from where a plan is made: one that kept us waiting in vain is not asked for the next domain. */
function createFetch({ policyWatch, clock }: World, probe: boolean): World['policyWatch']['fetch'] {
  const silent = new Map<string, PolicyFetch>();
  return async (question) => {
    const { address, endpoint, verify } = question;
    if (verify && !probe) return { address, at: clock.now(), outcome: 'Failed', detail: notAsked };
    const known = silent.get(endpoint);
    if (known !== undefined) return known;
    const began = performance.now();
    const fetch = await policyWatch.fetch(question);
    const slow = performance.now() - began > patientMs;
    if (!verify && fetch.outcome === 'Failed' && slow) silent.set(endpoint, fetch);
    return fetch;
  };
}
