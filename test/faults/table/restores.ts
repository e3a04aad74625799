/** Kubernetes is set back to what it was some time ago, while the world has gone on. */
import { cpSync, rmSync } from 'node:fs';
import { asUndisturbed, byOthers, type Fault, type Stage } from './fault.ts';

/** What was issued after the backup was made is issued again. */
const issuedAgain = /orders were/u;
/** A record that was first made after the backup is left as it is found: nothing tells it from a stranger's. */
const found = /is taken for somebody else's/u;

/** A backup is made, the spec changes, the backup is restored, and the change is applied anew, as from Git. */
function restored(restart: boolean): Fault['play'] {
  return async (stage: Stage) => {
    const { lane, life, converge } = stage;
    const backup = `${lane.plane.dir}/backup-${stage.domain}`;
    const problems = [...(await converge('new-domain'))];
    await lane.plane.crash((etcd) => cpSync(etcd, backup, { recursive: true }));
    problems.push(...(await converge('spec-change')));
    if (restart) life.kill();
    await byOthers(stage, () =>
      lane.plane.crash((etcd) => {
        rmSync(etcd, { recursive: true });
        cpSync(backup, etcd, { recursive: true });
      }),
    );
    await life.again();
    problems.push(...(await converge('spec-change', 300_000)));
    return problems.filter((problem) => !issuedAgain.test(problem) && !found.test(problem));
  };
}

export const restoreFaults: readonly Fault[] = [
  {
    name: 'etcd-restored',
    fault: 'etcd is restored from before the last change, under an operator that goes on',
    holds: asUndisturbed,
    play: restored(false),
  },
  {
    name: 'etcd-restored-restart',
    fault: 'etcd is restored from before the last change, and the operator started anew',
    holds: asUndisturbed,
    play: restored(true),
  },
];
