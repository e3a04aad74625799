import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/kube/types.ts';
import { fromStatus } from '../../src/kube/error.ts';
import { observeWorkloads } from '../../src/observe/workloads.ts';
import { certificateAnnotation, type HeldCertificate, type ObservedWorkload } from '../../src/plan/workloads.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

const now = Date.UTC(2026, 10, 22);
const held: HeldCertificate = { key: 'k', revision: 'k.new', since: now };
const labels = { app: 'postfix' };

type Kind = 'Deployment' | 'StatefulSet' | 'DaemonSet';
interface Parts {
  readonly kind?: Kind;
  readonly revision?: string;
  readonly spec?: object;
  readonly status?: object;
}

const object = ({ kind = 'StatefulSet', revision, spec, status }: Parts = {}): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'postfix', namespace: 'mail' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { annotations: revision === undefined ? {} : { [certificateAnnotation]: revision } } },
      ...spec,
    },
    status: { observedGeneration: 1, replicas: 2, updatedReplicas: 2, readyReplicas: 2, ...status },
  }) as KubeObject;

const podObject = (name: string, change: { readonly phase?: string; readonly of?: object } = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'mail', labels, annotations: { [certificateAnnotation]: 'k.old' }, ...change.of },
    status: { phase: change.phase ?? 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }) as KubeObject;

async function look(
  objects: readonly KubeObject[],
  provesKeys = false,
  kube: FakeKube = createFakeKube({ now: () => now }),
) {
  for (const one of objects) await kube.create(one);
  kube.calls.length = 0;
  const kind = (objects[0]?.kind ?? 'StatefulSet') as Kind;
  const [seen] = await observeWorkloads(
    kube,
    { namespace: 'mail', restart: [{ kind, name: 'postfix' }] },
    held,
    provesKeys,
  );
  return { seen, calls: kube.calls.map(({ verb, kind: what, key }) => `${verb} ${what} ${key}`) };
}

const partsOf = async (parts: Parts): Promise<Partial<Extract<ObservedWorkload, { readonly is: 'Seen' }>>> => {
  const { seen } = await look([object(parts)]);
  if (seen?.is !== 'Seen') throw new Error('it was not seen');
  return seen;
};

describe('the API is asked', () => {
  test('once for a workload that has come to rest with what the Secret holds', async () => {
    expect((await look([object({ revision: held.revision })])).calls).toEqual(['get StatefulSet mail/postfix']);
  });

  test.each<readonly [string, Parts, boolean]>([
    ['is marked otherwise', { revision: 'k.old' }, false],
    ['is not whole', { revision: held.revision, status: { readyReplicas: 1 } }, false],
    ['must prove its keys', { revision: held.revision }, true],
  ])('for the pods too where it %s', async (_, parts, provesKeys) => {
    const { calls } = await look([object(parts)], provesKeys);
    expect(calls).toEqual(['get StatefulSet mail/postfix', 'list Pod mail']);
  });

  test('for no more pods than a mail server has', async () => {
    const pods = Array.from({ length: 501 }, (_, at) => podObject(`postfix-${at}`));
    await expect(look([object(), ...pods])).rejects.toMatchObject({ reason: 'TooLarge' });
  });
});

test('pods are those that a Service would lead to, but for those that have ended', async () => {
  const others = { labels: { app: 'dovecot' } };
  const leaving = { finalizers: ['x'], deletionTimestamp: new Date(now).toISOString() };
  const { seen } = await look([
    object(),
    podObject('postfix-0'),
    podObject('postfix-1', { of: leaving }),
    podObject('done', { phase: 'Succeeded' }),
    podObject('dovecot-0', { of: others }),
  ]);
  const pod = { revision: 'k.old', createdAt: now, ready: true };
  expect(seen).toMatchObject({
    pods: [
      { ...pod, name: 'postfix-0', leaving: false },
      { ...pod, name: 'postfix-1', leaving: true },
    ],
  });
});

test.each([
  ['In', 'postfix-0'],
  ['NotIn', undefined],
  ['Exists', 'postfix-0'],
  ['DoesNotExist', undefined],
])('selectors may say %s', async (operator, found) => {
  const values = operator.endsWith('In') ? { values: ['postfix', 'exim'] } : {};
  const selector = { matchExpressions: [{ key: 'app', operator, ...values }] };
  const { seen } = await look([object({ spec: { selector } }), podObject('postfix-0')]);
  expect(seen?.is === 'Seen' && seen.pods?.map(({ name }) => name)).toEqual(found === undefined ? [] : [found]);
});

test.each<readonly [string, Parts, boolean]>([
  ['every pod is new and ready', {}, true],
  ['its controller has not seen the latest spec', { status: { observedGeneration: 0 } }, false],
  ['a pod is old', { status: { updatedReplicas: 1 } }, false],
  ['a pod is not ready', { status: { readyReplicas: 1 } }, false],
  ['one more is there for the time being', { status: { replicas: 3 } }, false],
  ['a DaemonSet is on every node', { kind: 'DaemonSet', status: daemon(3, 3) }, true],
  ['a DaemonSet is old on a node', { kind: 'DaemonSet', status: daemon(2, 3) }, false],
  ['a DaemonSet is not ready on a node', { kind: 'DaemonSet', status: daemon(3, 2) }, false],
  [
    'it is scaled to none',
    { spec: { replicas: 0 }, status: { replicas: 0, updatedReplicas: 0, readyReplicas: 0 } },
    true,
  ],
])('a workload is whole, or not: %s', async (_, parts, wanted) => {
  expect(await partsOf(parts)).toMatchObject({ complete: wanted });
});

function daemon(updatedNumberScheduled: number, numberReady: number): object {
  return { desiredNumberScheduled: 3, currentNumberScheduled: 3, updatedNumberScheduled, numberReady };
}

const late = (status: string): object => ({
  conditions: [{ type: 'Progressing', status, reason: 'ProgressDeadlineExceeded' }],
});

test.each<readonly [string, Parts, RegExp | undefined]>([
  ['a Deployment is paused', { kind: 'Deployment', spec: { paused: true } }, /kubectl rollout resume/u],
  [
    'pods are replaced when they are deleted',
    { spec: { updateStrategy: { type: 'OnDelete' } } },
    /delete them one after/u,
  ],
  [
    'a partition keeps some',
    { spec: { updateStrategy: { rollingUpdate: { partition: 1 } } } },
    /partition\): set it to 0/u,
  ],
  ['new pods do not come up', { kind: 'Deployment', status: late('False') }, /do not become ready/u],
  ['all takes its course', { kind: 'Deployment' }, undefined],
])('what only a human sets going again is told: %s', async (_, parts, words) => {
  const { halted } = await partsOf(parts);
  expect(halted).toEqual(words === undefined ? undefined : expect.stringMatching(words));
});

test('a workload that is not there is said to be so', async () => {
  expect((await look([])).seen).toEqual({ kind: 'StatefulSet', name: 'postfix', is: 'Absent' });
});

test.each(['get', 'list'])('a right to %s that is missing is said, and every other failure is one', async (verb) => {
  const failWith = (code: number): FakeKube => {
    const kube = createFakeKube({ now: () => now });
    kube.setFault((call) => {
      if (call.verb === verb) throw fromStatus({ kind: 'Status', code }, code);
    });
    return kube;
  };
  expect((await look([object()], true, failWith(403))).seen).toMatchObject({ is: 'Forbidden' });
  await expect(look([object()], true, failWith(500))).rejects.toMatchObject({ status: 500 });
});
