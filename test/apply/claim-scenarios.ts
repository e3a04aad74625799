/** How ties and restores of claims are decided: the same on the API server and on the fake of it, every time. */
import { type Claimant, type Claims, createClaims } from '../../src/apply/claims.ts';
import { MailsealError } from '../../src/errors.ts';
import type { ConfigMapObject, Kube } from '../../src/kube/types.ts';

export interface ClaimScenario {
  readonly sentence: string;
  /** `domain` is nobody's yet. */
  readonly run: (kube: Kube, namespace: string, domain: string) => Promise<readonly unknown[]>;
  readonly want: readonly unknown[];
}

const claimant = (name: string, kind: Claimant['kind'] = 'MailDomain'): Claimant => ({ kind, namespace: 'mail', name });

/** An operator that has just started. */
const started = (kube: Kube, namespace: string): Claims => createClaims(kube, namespace, { now: () => 0 });

async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'held';
  } catch (error) {
    return error instanceof MailsealError ? error.reason : `raced: ${String(error)}`;
  }
}

/** As a queue does: a race that was lost is run again. */
async function settled(run: () => Promise<unknown>): Promise<string> {
  for (let round = 0; round < 50; round += 1) {
    const said = await outcome(run());
    if (!said.startsWith('raced')) return said;
  }
  return 'never settled';
}

const count = (outcomes: readonly string[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const one of outcomes) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
};

async function claimOf(kube: Kube, namespace: string, domain: string): Promise<ConfigMapObject> {
  const all = await kube.list<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', namespace });
  const found = all.find(({ data }) => data?.['claimed'] === domain);
  if (found === undefined) throw new Error(`there is no claim of ${domain}`);
  return found;
}

const twenty = Array.from({ length: 20 }, (_, n) => claimant(`twin-${n}`));

export const claimScenarios: readonly ClaimScenario[] = [
  {
    sentence: 'of 20 objects that are looked at in one instant one has the domain, then and after a restart',
    run: async (kube, namespace, domain) => {
      const race = (): Promise<readonly string[]> =>
        Promise.all(twenty.map((one) => settled(() => started(kube, namespace).hold('domain', domain, one))));
      const first = await race();
      const again = await race();
      return [count(first), first.join() === again.join()];
    },
    want: [{ Conflict: 19, held: 1 }, true],
  },
  {
    sentence: 'two operators that look at one object at once both find it the holder',
    run: async (kube, namespace, domain) => {
      const both = [1, 2].map(() => settled(() => started(kube, namespace).hold('domain', domain, claimant('one'))));
      return [count(await Promise.all(both))];
    },
    want: [{ held: 2 }],
  },
  {
    sentence: 'of many that find a claim spoilt the one has it that the durable state names',
    run: async (kube, namespace, domain) => {
      await started(kube, namespace).hold('domain', domain, claimant('one'));
      const claim = await claimOf(kube, namespace, domain);
      await kube.replace({ ...claim, data: { claimed: domain, kind: 'MailDomain' } });
      const race = [...twenty, claimant('one')].map((one) =>
        settled(() => started(kube, namespace).hold('domain', domain, one, async () => claimant('one'))),
      );
      return [count(await Promise.all(race)), (await claimOf(kube, namespace, domain)).data?.['name']];
    },
    want: [{ Conflict: 20, held: 1 }, 'one'],
  },
  {
    sentence: 'a claim that came back from an older backup is believed',
    run: async (kube, namespace, domain) => {
      await started(kube, namespace).hold('domain', domain, claimant('older'));
      const { metadata, ...rest } = await claimOf(kube, namespace, domain);
      await started(kube, namespace).release('domain', domain, claimant('older'));
      await started(kube, namespace).hold('domain', domain, claimant('newer'));
      await kube.remove({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: metadata.name });
      await kube.create<ConfigMapObject>({ ...rest, metadata: { name: metadata.name, namespace } });
      const ask = (name: string): Promise<string> =>
        settled(() => started(kube, namespace).hold('domain', domain, claimant(name)));
      return [await ask('newer'), await ask('older')];
    },
    want: ['Conflict', 'held'],
  },
  {
    sentence: 'a domain and the MX host where its policy is served go to one of the two',
    run: async (kube, namespace, domain) => {
      const asked = [
        settled(() => started(kube, namespace).hold('domain', domain, claimant('one'))),
        settled(() => started(kube, namespace).hold('host', `mta-sts.${domain}`, claimant('mx', 'MailExchanger'))),
      ];
      return [count(await Promise.all(asked))];
    },
    want: [{ Conflict: 1, held: 1 }],
  },
  {
    sentence: 'what is passed to a retirement while others ask is taken back by its own object only',
    run: async (kube, namespace, domain) => {
      await started(kube, namespace).hold('domain', domain, claimant('one'));
      const pass = settled(() => started(kube, namespace).pass('domain', domain, claimant('one'), true));
      const race = twenty.map((one) => settled(() => started(kube, namespace).hold('domain', domain, one)));
      const outcomes = await Promise.all([pass, ...race]);
      const back = await settled(() => started(kube, namespace).hold('domain', domain, claimant('one')));
      return [count(outcomes), back];
    },
    want: [{ Conflict: 20, held: 1 }, 'held'],
  },
];
