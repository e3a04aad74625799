/** A StatefulSet on the fake API whose two pods are replaced, when the test says so, as its controller would. */
import type { DeliverySpec, MailExchanger } from '../../src/api/types.ts';
import type { KubeObject, Ref } from '../../src/kube/types.ts';
import { certificateAnnotation } from '../../src/plan/workloads.ts';
import { createScene, type Scene } from './scene.ts';

interface StatefulSet extends KubeObject {
  readonly spec: {
    readonly template: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } };
  };
}

export interface Postfix {
  readonly scene: Scene;
  /** How often the operator has marked the pod template. */
  readonly restarts: () => number;
  /** What the pod template says. */
  readonly revision: () => Promise<string | undefined>;
  /** The pods of these numbers are replaced by ones of the newest template. */
  readonly roll: (...numbers: readonly number[]) => Promise<void>;
}

const labels = { app: 'postfix' };
const ref: Ref = { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'mail', name: 'postfix' };
export const delivery: DeliverySpec = { restart: [{ kind: 'StatefulSet', name: 'postfix' }] };

export async function createPostfix(spec: Partial<MailExchanger['spec']> = {}): Promise<Postfix> {
  const scene = await createScene({ delivery, ...spec });
  const { kube } = scene;
  const revisions: (string | undefined)[] = [undefined, undefined];
  const revision = async (): Promise<string | undefined> =>
    (await kube.get<StatefulSet>(ref))?.spec.template.metadata.annotations?.[certificateAnnotation];
  const makePod = async (number: number): Promise<void> => {
    const pod: Ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'mail', name: `postfix-${number}` };
    await kube.remove(pod);
    const mark = revisions[number];
    await kube.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: pod.name,
        namespace: 'mail',
        labels,
        ...(mark === undefined ? {} : { annotations: { [certificateAnnotation]: mark } }),
      },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    } as KubeObject);
  };
  /** Counts as the controller does; a version of the object that it has not seen yet is not counted. */
  const count = async (): Promise<void> => {
    const whole = await kube.get<StatefulSet>(ref);
    if (whole === undefined) return;
    const mark = await revision();
    const updatedReplicas = revisions.filter((one) => one === mark).length;
    const status = { observedGeneration: 1e6, replicas: 2, readyReplicas: 2, updatedReplicas };
    await kube.replace({ ...whole, status } as StatefulSet);
  };
  await kube.create({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'postfix', namespace: 'mail' },
    spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels } } },
  } as KubeObject);
  for (const number of [0, 1]) await makePod(number);
  await count();
  return {
    scene,
    restarts: () => kube.calls.filter(({ fieldManager }) => fieldManager === 'mailseal/restart').length,
    revision,
    roll: async (...numbers) => {
      const mark = await revision();
      for (const number of numbers) {
        if (revisions[number] === mark) continue;
        revisions[number] = mark;
        await makePod(number);
      }
      await count();
    },
  };
}
