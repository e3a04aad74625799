/** What goes wrong between the operator and the Kubernetes API. */
import type { Fault, Stage } from './fault.ts';

const asUndisturbed = 'Ready, with the zone, the keys and the orders of an undisturbed run';

/** While a new domain converges, `disturb` is on; what it says it struck must be more than nothing. */
async function whileNew(stage: Stage, disturb: () => () => number): Promise<readonly string[]> {
  const struck = disturb();
  const problems = await stage.converge('new-domain');
  return [...problems, ...(struck() > 0 ? [] : ['the fault did not happen'])];
}

export const kubernetesFaults: readonly Fault[] = [
  {
    name: 'watch-events-dropped',
    fault: 'every third event of every watch is dropped',
    holds: asUndisturbed,
    quick: true,
    play: (stage) =>
      whileNew(stage, () => {
        let [seen, dropped] = [0, 0];
        stage.lane.api.setLines((line) => {
          seen += 1;
          if (seen % 3 !== 0) return [line];
          dropped += 1;
          return [];
        });
        return () => dropped;
      }),
  },
  {
    name: 'writes-answered-500',
    fault: 'every fourth request that writes is answered with 500',
    holds: asUndisturbed,
    quick: true,
    play: (stage) =>
      whileNew(stage, () => {
        let [seen, refused] = [0, 0];
        stage.lane.api.setFault(({ method }) => {
          if (method === 'GET') return undefined;
          seen += 1;
          if (seen % 4 !== 0) return undefined;
          refused += 1;
          return { do: 'answer', status: 500, reason: 'InternalError' };
        });
        return () => refused;
      }),
  },
];
