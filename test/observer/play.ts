/** A short life of a domain on a lane, with the observer looking on: what becomes of it, and what he says. */
import { readFileSync } from 'node:fs';
import { conditionOf } from '../../src/api/conditions.ts';
import { apiVersion, type CertificateIssuer, type MailDomain, type MailDomainSpec } from '../../src/api/types.ts';
import { tenant } from '../faults/cluster.ts';
import type { Ground, Lane, OperatorOptions } from '../faults/lane.ts';
import { dropNames, clean, grant } from '../faults/objects.ts';
import { mxAddress } from '../faults/ways.ts';
import { type Running, waitFor } from '../lab/process.ts';
import { observeLane } from './lane.ts';
import type { Observer, ObserverSpec } from './observer.ts';

export interface Stage {
  readonly ground: Ground;
  readonly lane: Lane;
  readonly domain: string;
  readonly observer: Observer;
  /** Applies the domain's object, with what is to differ from a plain one. */
  readonly apply: (spec?: Partial<MailDomainSpec>) => Promise<void>;
  readonly start: (options?: OperatorOptions) => Running;
  /** Resolves when it is Ready by its newest spec. */
  readonly ready: () => Promise<void>;
  /** Resolves when nothing was written for a while. */
  readonly quiet: () => Promise<void>;
  /** Resolves when the observer has found something, or nothing for so long. */
  readonly watched: (ms: number) => Promise<void>;
}

/** `before` prepares the world before the observer comes, `play` is what happens then. */
export interface Scenario {
  /** Beside the host of the lane, which goes by two names. */
  readonly moreHosts?: (domain: string) => ObserverSpec['hosts'];
  /** Milliseconds until a Secret that was written is in the pods' volumes; the lane is its own then. */
  readonly volumeDelayMs?: number;
  /** For the one domain, from its apply on. */
  readonly readyWithinMs?: number;
  readonly before?: (stage: Pick<Stage, 'ground' | 'lane' | 'domain'>) => Promise<void>;
  readonly play: (stage: Stage) => Promise<void>;
}

export interface Trial {
  readonly scenario: Scenario;
  /** Of the lane, from 0. */
  readonly index: number;
  readonly domain: string;
  /** The bundle that is tried; the ground's when absent. */
  readonly program?: string | undefined;
}

const readyMs = 60_000;
const quietMs = 1500;

/** Resolves with what the observer said. What a broken product does not reach in time ends the trial all the same. */
export async function playTrial(ground: Ground, lane: Lane, trial: Trial): Promise<readonly string[]> {
  const { scenario, domain, index, program } = trial;
  await clean(lane);
  await grant(ground, lane, domain);
  await issueBy(ground, lane, 'default');
  await scenario.before?.({ ground, lane, domain });
  const address = mxAddress(index);
  const observer = await observeLane(ground, lane, {
    domains: [domain],
    zones: [domain.slice(domain.indexOf('.') + 1)],
    hosts: [
      ...[`mx.${domain}`, `smtp.${domain}`].map((host) => ({ host, address })),
      ...(scenario.moreHosts?.(domain) ?? []),
    ],
    deadlines: scenario.readyWithinMs === undefined ? [] : [{ domain, withinMs: scenario.readyWithinMs }],
  });
  const started: Running[] = [];
  const start: Stage['start'] = (options = {}) => {
    const operator = lane.startOperator({ ...options, ...(program === undefined ? {} : { program }) });
    started.push(operator);
    return operator;
  };
  lane.gate.arm({ spot: undefined, kill: () => undefined, witness: observer.wires() });
  try {
    await scenario.play({
      ground,
      lane,
      domain,
      observer,
      start,
      ...waits(lane, observer),
      apply: apply(lane, domain),
    });
  } finally {
    await observer.stop();
    await Promise.all(started.map((operator) => operator.stop(2000)));
  }
  return observer.problems();
}

/** The CA takes any profile where it is not told which. */
export async function issueBy(ground: Ground, lane: Lane, profile: string): Promise<void> {
  const caBundle = readFileSync(ground.door.caFile, 'utf8');
  const acme = { server: lane.acmeServer, email: 'postmaster@example.test', caBundle, profile };
  const issuer: CertificateIssuer = {
    apiVersion,
    kind: 'CertificateIssuer',
    metadata: { name: 'one' },
    spec: { default: true, acme },
  };
  await lane.kube.apply(issuer, { fieldManager: 'faults' });
}

const apply =
  (lane: Lane, domain: string): Stage['apply'] =>
  async (spec = {}) => {
    const object: MailDomain = {
      apiVersion,
      kind: 'MailDomain',
      metadata: { name: 'one', namespace: tenant, annotations: dropNames(domain) },
      spec: {
        domain,
        mx: { hosts: [`mx.${domain}`], dane: { ttlSeconds: 1 } },
        mtaSts: { ttlSeconds: 1, promotion: { immediately: true } },
        ...spec,
      },
    };
    await lane.kube.apply(object, { fieldManager: 'observer' });
  };

function waits(lane: Lane, observer: Observer): Pick<Stage, 'ready' | 'quiet' | 'watched'> {
  const found = (): boolean => observer.problems().length > 0;
  return {
    ready: async () => {
      await waitFor(
        'the domain is Ready',
        async () => {
          const ref = { apiVersion, kind: 'MailDomain', namespace: tenant, name: 'one' };
          const object = await lane.kube.get<MailDomain>(ref);
          const ready = conditionOf(object?.status?.conditions, 'Ready');
          return found() || (ready?.status === 'True' && ready.observedGeneration === object?.metadata.generation);
        },
        { timeoutMs: readyMs },
      );
    },
    quiet: async () => {
      let [count, since] = [-1, Date.now()];
      await waitFor('nothing more is written', () => {
        const now = lane.gate.seen().length;
        if (now !== count) [count, since] = [now, Date.now()];
        return found() || Date.now() - since > quietMs;
      });
    },
    watched: async (ms) => {
      const until = Date.now() + ms;
      await waitFor('the time to look is over', () => found() || Date.now() > until, { timeoutMs: ms + 1000 });
    },
  };
}
