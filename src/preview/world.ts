/** A world that can be looked at and not changed. */
import { createClaims } from '../apply/claims.ts';
import type { Acme } from '../apply/acme.ts';
import type { Provider } from '../apply/providers/provider.ts';
import { guardWrites } from '../kube/guard.ts';
import { createProber } from '../observe/prober.ts';
import type { PolicyFetch } from '../pki/observed.ts';
import type { World } from '../world.ts';
import type { CertificateIssuer } from '../api/types.ts';
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

/** Milliseconds after which a policy pod or a CA counts as out of reach. */
const patientMs = 2000;

/** A look into the directory of a CA, which needs no account. */
async function whoIs({ server, caBundle }: NonNullable<CertificateIssuer['spec']['acme']>): ReturnType<Acme['inCaa']> {
  const [{ createAcme }, { newAccountKey }] = await Promise.all([
    import('../apply/acme.ts'),
    import('../apply/acme-keys.ts'),
  ]);
  const acme = createAcme({ directoryUrl: server, caBundle, accountKeyPem: newAccountKey(), timeoutMs: patientMs });
  try {
    return await acme.inCaa();
  } finally {
    await acme.close();
  }
}

const refuse = async (): Promise<never> => neverWrites() as never;

/** Stands in for the CA: an account of ours would be made by the first question. */
const silentCa: Omit<Acme, 'inCaa'> = {
  register: refuse,
  findAccount: refuse,
  accountRefusal: refuse,
  changeKey: refuse,
  newOrder: refuse,
  answer: refuse,
  poll: refuse,
  finalize: refuse,
  certificate: refuse,
  revoke: refuse,
  renewalInfo: refuse,
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
    const spec = issuer?.spec.acme;
    if (spec === undefined) return world.issuerOf(name);
    return { kind: 'acme', name, challenge: spec.challenge, acme: { ...silentCa, inCaa: () => whoIs(spec) } };
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
    suggestions: { ...world.suggestions, view: async () => undefined },
    policyWatch: { fetch: createFetch(world, probe) },
    challenges: { ...world.challenges, ask: async () => ({ problem: 'was not asked for a plan' }) },
    ...(probe ? {} : { prober: silentProber(world) }),
  };
  return { world: quiet, close: () => opened.forEach((provider) => provider.close?.()) };
}

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
