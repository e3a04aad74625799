import { expect, test } from 'vitest';
import { createFakeKube } from '../fakes/kube.ts';
import { scenarios } from './contract.ts';

test.each(scenarios)('in the fake API, $sentence', async ({ run, want }) => {
  expect(await run(createFakeKube(), 'one')).toEqual(want);
});

test('the fake bumps the generation with the spec only, and keeps status apart', async () => {
  const kube = createFakeKube();
  const base = { apiVersion: 'mailseal.dev/v1alpha1', kind: 'MailDomain', metadata: { name: 'd', namespace: 'n' } };
  const made = await kube.create({ ...base, spec: { domain: 'x' }, status: { ignored: true } });
  expect(made).not.toHaveProperty('status');
  const manager = { fieldManager: 'mailseal/status', subresource: 'status' } as const;
  const condition = { type: 'Ready', status: 'True' };
  const told = await kube.apply({ ...base, status: { conditions: [condition] } }, manager);
  expect(told.metadata).toMatchObject({ generation: 1 });
  const changed = await kube.apply({ ...base, spec: { domain: 'y' } }, { fieldManager: 'user' });
  expect(changed).toMatchObject({ metadata: { generation: 2 }, status: { conditions: [condition] } });
  const other = await kube.apply({ ...base, status: { conditions: [{ ...condition, status: 'False' }] } }, manager);
  expect(other).toMatchObject({ metadata: { generation: 2 }, status: { conditions: [{ status: 'False' }] } });
});

test('the fake hands out copies that nobody shares', async () => {
  const kube = createFakeKube();
  const given = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'n' }, data: { x: '1' } };
  await kube.create(given);
  given.data.x = '2';
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', namespace: 'n' };
  const got = await kube.get<typeof given>(ref);
  if (got !== undefined) got.data.x = '3';
  expect(await kube.get(ref)).toMatchObject({ data: { x: '1' } });
});

test.each([
  ['l=x', ['a']],
  ['l!=x', ['b', 'c']],
  ['l in (x,y)', ['a', 'b']],
  ['l,l!=y', ['a']],
  ['!l', ['c']],
])('the fake selects by the labels %s', async (labelSelector, want) => {
  const kube = createFakeKube();
  const labels: Record<string, Record<string, string>> = { a: { l: 'x' }, b: { l: 'y' }, c: {} };
  for (const name of Object.keys(labels)) {
    await kube.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'n', labels: labels[name] ?? {} },
    });
  }
  const found = await kube.list({ apiVersion: 'v1', kind: 'Secret', labelSelector });
  expect(found.map(({ metadata }) => metadata.name)).toEqual(want);
});
