/** What the API server and the fake of it must do alike: each scenario leaves a list of what it saw. */
import { addFinalizer, removeFinalizer } from '../../src/kube/finalizers.ts';
import { hasReason } from '../../src/kube/error.ts';
import type { ConfigMapObject, Kube, Ref } from '../../src/kube/types.ts';

export interface Scenario {
  readonly sentence: string;
  readonly run: (kube: Kube, name: string) => Promise<readonly unknown[]>;
  readonly want: readonly unknown[];
}

function map(name: string, data: Record<string, string> | undefined, finalizers?: readonly string[]): ConfigMapObject {
  const metadata = { name, namespace: 'default', ...(finalizers === undefined ? {} : { finalizers }) };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, ...(data === undefined ? {} : { data }) };
}

const ref = (name: string): Ref => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name });
const a = { fieldManager: 'mailseal/a' };
const b = { fieldManager: 'mailseal/b' };

async function refused(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'done';
  } catch (error) {
    return hasReason(error, 'Conflict', 'AlreadyExists', 'NotFound', 'Invalid', 'TooLarge')
      ? error.reason
      : String(error);
  }
}

export const scenarios: readonly Scenario[] = [
  {
    sentence: 'a list is given whole or, where it has a bound and is longer, not at all',
    run: async (kube, name) => {
      for (const n of [1, 2, 3]) {
        const made = map(`${name}-${n}`, {});
        await kube.create({ ...made, metadata: { ...made.metadata, labels: { 'contract-list': name } } });
      }
      const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default' };
      const list = (most: number): Promise<string> =>
        refused(kube.list({ ...query, labelSelector: `contract-list in (${name}),!other`, most }));
      return [await list(3), await list(2), await list(1)];
    },
    want: ['done', 'TooLarge', 'TooLarge'],
  },
  {
    sentence: 'a second creation of the same name is refused',
    run: async (kube, name) => {
      await kube.create(map(name, { x: '1' }));
      return [await refused(kube.create(map(name, { x: '2' })))];
    },
    want: ['AlreadyExists'],
  },
  {
    sentence: 'a replacement of an old version, without version, and of nothing is refused',
    run: async (kube, name) => {
      const made = await kube.create(map(name, { x: '1' }));
      await kube.replace({ ...made, data: { x: '2' } });
      const old = await refused(kube.replace({ ...made, data: { x: '3' } }));
      const versionless = await refused(kube.replace(map(name, {})));
      await kube.remove(ref(name));
      return [old, versionless, await refused(kube.replace(made))];
    },
    want: ['Conflict', 'Invalid', 'NotFound'],
  },
  {
    sentence: 'applying the same again changes no version',
    run: async (kube, name) => {
      const first = await kube.apply(map(name, { x: '1' }), a);
      const again = await kube.apply(map(name, { x: '1' }), a);
      const other = await kube.apply(map(name, { x: '2' }), a);
      const versions = [first, again, other].map(({ metadata }) => metadata.resourceVersion);
      return [versions[0] === versions[1], versions[1] === versions[2]];
    },
    want: [true, false],
  },
  {
    sentence: 'what a manager no longer applies goes away, what it shares stays',
    run: async (kube, name) => {
      await kube.apply(map(name, { mine: '1', shared: '1' }), a);
      await kube.apply(map(name, { theirs: '1', shared: '1' }), b);
      const less = await kube.apply(map(name, {}), a);
      const none = await kube.apply(map(name, undefined), b);
      return [less.data, none.data];
    },
    want: [{ theirs: '1', shared: '1' }, undefined],
  },
  {
    sentence: 'what was created is not owned by an apply that leaves it out',
    run: async (kube, name) => {
      await kube.create(map(name, { made: '1' }));
      await kube.apply(map(name, { x: '1' }), a);
      return [(await kube.apply(map(name, {}), a)).data];
    },
    want: [{ made: '1' }],
  },
  {
    sentence: 'annotations are merged, and null takes one away',
    run: async (kube, name) => {
      await kube.create(map(name, {}));
      await kube.annotate(ref(name), { 'mailseal.dev/x': '1', 'mailseal.dev/y': '1' });
      const after = await kube.annotate(ref(name), { 'mailseal.dev/x': null });
      return [after?.metadata.annotations, await kube.annotate(ref('absent'), {})];
    },
    want: [{ 'mailseal.dev/y': '1' }, undefined],
  },
  {
    sentence: 'a removal minds its preconditions, and absence is fine',
    run: async (kube, name) => {
      const made = await kube.create(map(name, {}));
      await kube.annotate(ref(name), { 'mailseal.dev/x': '1' });
      const old = await refused(kube.remove(ref(name), { resourceVersion: made.metadata.resourceVersion ?? '' }));
      const other = await refused(kube.remove(ref(name), { uid: 'another' }));
      const right = await refused(kube.remove(ref(name), { uid: made.metadata.uid ?? '' }));
      return [old, other, right, await refused(kube.remove(ref(name))), await kube.get(ref(name))];
    },
    want: ['Conflict', 'Conflict', 'done', 'done', undefined],
  },
  {
    sentence: 'an apply that names the uid of an object that went writes nothing, whether another has its name or not',
    run: async (kube, name) => {
      const made = await kube.create(map(name, {}));
      const late = { ...map(name, { x: '1' }), metadata: { ...map(name, {}).metadata, uid: made.metadata.uid ?? '' } };
      await kube.remove(ref(name));
      const absent = await refused(kube.apply(late, a));
      await kube.create(map(name, { y: '1' }));
      const another = await refused(kube.apply(late, a));
      return [absent, another, (await kube.get<ConfigMapObject>(ref(name)))?.data];
    },
    want: ['Conflict', 'Conflict', { y: '1' }],
  },
  {
    sentence: 'a finalizer holds an object until it is taken away',
    run: async (kube, name) => {
      const made = await kube.create(map(name, {}, ['example.com/other']));
      const held = await addFinalizer(kube, made, 'mailseal.dev/x');
      await kube.remove(ref(name));
      const dying = await kube.get<ConfigMapObject>(ref(name));
      const left = await removeFinalizer(kube, held, 'mailseal.dev/x');
      const last = { ...left, metadata: { ...left?.metadata, finalizers: [] } } as unknown as ConfigMapObject;
      await kube.replace(last);
      return [
        held.metadata.finalizers,
        dying?.metadata.deletionTimestamp !== undefined,
        left?.metadata.finalizers,
        await kube.get(ref(name)),
        await refused(addFinalizer(kube, made, 'mailseal.dev/x')),
      ];
    },
    want: [['example.com/other', 'mailseal.dev/x'], true, ['example.com/other'], undefined, 'Conflict'],
  },
];
