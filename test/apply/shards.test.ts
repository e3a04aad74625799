import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { createShards, type Shards } from '../../src/apply/shards.ts';
import { KubeError } from '../../src/kube/error.ts';
import type { KubeObject, SecretObject } from '../../src/kube/types.ts';
import { createLog } from '../../src/log.ts';
import { type HostEntry, revisionOf, shardOf } from '../../src/policyshard/shard.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

const pem = (what: string): string => `-----BEGIN ${what}-----\nAAAA\n-----END ${what}-----\n`;
function entry(policy: string): HostEntry {
  const certificate = pem('CERTIFICATE');
  return { policy, revision: revisionOf(policy, certificate), certificate, key: pem('PRIVATE KEY') };
}
let kube: FakeKube;
let lines: string[];
beforeEach(async () => {
  kube = createFakeKube();
  lines = [];
  rebuilt = 0;
  for (const name of ['p1', 'p2'])
    await kube.create<KubeObject>({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'mailseal' } });
});
let rebuilt: number;
function shards(
  change: { readonly count?: number; readonly pods?: readonly string[]; readonly gapMs?: number } = {},
): Shards {
  return createShards({
    onRebuilt: () => {
      rebuilt += 1;
    },
    kube,
    namespace: 'mailseal',
    secretPrefix: 'shard-',
    count: change.count ?? 1,
    gapMs: change.gapMs ?? 0,
    pods: () => (change.pods ?? ['p1', 'p2']).map((name) => ({ name })),
    log: createLog((line) => void lines.push(line)),
  });
}
const secretWrites = () => kube.writes().filter(({ kind }) => kind === 'Secret');
const secret = (index = 0) =>
  kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace: 'mailseal', name: `shard-${index}` });
const hostOf = (n: number): string => `mta-sts.d${n}.example`;

test('what is served is read', async () => {
  await shards().serve(hostOf(1), entry('one'));
  expect(await shards().read(hostOf(1))).toEqual(entry('one'));
  expect(await shards().read(hostOf(2))).toBeUndefined();
});

test('what is served no more is gone, its neighbours stay, and what was never served costs no write', async () => {
  await shards().serve(hostOf(1), entry('one'));
  await shards().serve(hostOf(2), entry('two'));
  await shards().unserve(hostOf(1));
  const before = kube.writes().length;
  await shards().unserve(hostOf(1));
  expect(await shards().read(hostOf(1))).toBeUndefined();
  expect(await shards().read(hostOf(2))).toEqual(entry('two'));
  expect(kube.writes()).toHaveLength(before);
});

test('every pod is nudged with the version that it is to show', async () => {
  await shards().serve(hostOf(1), entry('one'));
  const version = (await secret())?.metadata.resourceVersion;
  const pods = kube.dump().filter(({ kind }) => kind === 'Pod');
  expect(pods.map(({ metadata }) => metadata.annotations?.['mailseal.dev/nudge'])).toEqual([version, version]);
});

test('a pod that has gone, or that may not be nudged, fails nothing', async () => {
  kube.setFault(({ verb, key }) => {
    if (verb === 'annotate' && key.endsWith('p1')) throw new KubeError(403, 'Forbidden', 'no right');
  });
  await shards({ pods: ['p1', 'gone', 'p2'] }).serve(hostOf(1), entry('one'));
  expect(lines.join()).toContain('could not be nudged');
});

test('entries that arrive while a write is under way share the next one', async () => {
  const one = shards();
  await Promise.all(Array.from({ length: 50 }, (_, n) => one.serve(hostOf(n), entry(`policy ${n}`))));
  expect(secretWrites().length).toBeLessThanOrEqual(2);
  for (const n of [0, 1, 49]) expect(await one.read(hostOf(n))).toEqual(entry(`policy ${n}`));
});

test('an entry that comes alone waits for no company', async () => {
  const longerThanAnyTest = 3_600_000;
  await shards({ gapMs: longerThanAnyTest }).serve(hostOf(0), entry('alone'));
  expect(secretWrites()).toHaveLength(1);
});

test('a large shard is written less often than a small one', async () => {
  const one = shards({ gapMs: 60 });
  // Of what a real one is full of gzip spares nothing.
  const large: HostEntry = {
    ...entry('large'),
    policy: randomBytes(512 * 1024)
      .toString('base64')
      .slice(0, 64_000),
  };
  await one.serve(hostOf(0), entry('small'));
  await Promise.all(Array.from({ length: 12 }, (_, n) => one.serve(hostOf(n + 1), large)));
  const filled = performance.now();
  await one.serve(hostOf(20), entry('later'));
  expect(performance.now() - filled).toBeGreaterThan(60 * 2);
});

test('entries that arrive soon after a write share the next one', async () => {
  const one = shards({ gapMs: 300 });
  const began = performance.now();
  await one.serve(hostOf(0), entry('first'));
  await one.serve(hostOf(1), entry('second'));
  // A timer may go off a moment early.
  expect(performance.now() - began).toBeGreaterThanOrEqual(299);
  for (const n of [2, 3, 4]) {
    void one.serve(hostOf(n), entry(`${n}`));
    await Promise.resolve();
  }
  await one.serve(hostOf(5), entry('last'));
  expect(secretWrites()).toHaveLength(3);
  for (const n of [2, 3, 4]) expect(await one.read(hostOf(n))).toEqual(entry(`${n}`));
});

test('of two entries of one host the later counts', async () => {
  const one = shards();
  await Promise.all([
    one.serve(hostOf(1), entry('a')),
    one.serve(hostOf(1), entry('b')),
    one.serve(hostOf(1), entry('c')),
  ]);
  expect(await one.read(hostOf(1))).toEqual(entry('c'));
});

test('each host lies in its shard', async () => {
  const many = shards({ count: 4 });
  for (let n = 0; n < 12; n += 1) await many.serve(hostOf(n), entry(`${n}`));
  for (let n = 0; n < 12; n += 1) {
    const data = (await secret(shardOf(hostOf(n), 4)))?.data ?? {};
    expect(Buffer.from(Object.values(data)[0] ?? '', 'base64').toString()).toContain(`"${hostOf(n)}"`);
  }
});

describe('another writer', () => {
  test('that was faster keeps what it wrote', async () => {
    await shards().serve(hostOf(1), entry('one'));
    let raced = false;
    kube.setFault(async ({ verb, kind }) => {
      if (raced || verb !== 'replace' || kind !== 'Secret') return;
      raced = true;
      await shards().serve(hostOf(2), entry('two'));
    });
    await shards().serve(hostOf(3), entry('three'));
    expect(raced).toBe(true);
    for (const [n, policy] of [
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ] as const)
      expect(await shards().read(hostOf(n))).toEqual(entry(policy));
  });
  test('that is always faster is given in to, with its reason', async () => {
    kube.setFault(({ verb, kind }) => {
      if (verb === 'create' && kind === 'Secret') throw new KubeError(409, 'AlreadyExists', 'there');
    });
    await expect(shards().serve(hostOf(1), entry('one'))).rejects.toMatchObject({ reason: 'AlreadyExists' });
    expect(secretWrites()).toHaveLength(5);
  });
});

test('a failure reaches all who shared the write, and the next write goes on', async () => {
  let broken = true;
  kube.setFault(({ verb, kind }) => {
    if (broken && kind === 'Secret' && verb === 'create') throw new KubeError(500, 'InternalError', 'down');
  });
  const one = shards();
  const results = await Promise.allSettled([one.serve(hostOf(1), entry('a')), one.serve(hostOf(2), entry('b'))]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  broken = false;
  await one.serve(hostOf(3), entry('c'));
  expect(await one.read(hostOf(3))).toEqual(entry('c'));
});

test.each<readonly [string, Readonly<Record<string, string>>]>([
  ['is not JSON', { 'shard.json': Buffer.from('{"form').toString('base64') }],
  ['does not inflate', { 'shard.json.gz': Buffer.from('not gzip').toString('base64') }],
  ['is empty', {}],
])('a shard that %s is built anew and not looped on', async (_, data) => {
  await kube.create<SecretObject>({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shard-0', namespace: 'mailseal' },
    data,
  });
  expect(await shards().read(hostOf(1))).toBeUndefined();
  await shards().serve(hostOf(1), entry('one'));
  expect(await shards().read(hostOf(1))).toEqual(entry('one'));
  const why = lines.flatMap((line) => {
    const { message, problem } = JSON.parse(line) as { message: string; problem?: string };
    return message === 'a policy shard is damaged' ? [problem] : [];
  });
  const said = Object.keys(data).length > 0 ? [expect.stringMatching(/^the shard /u)] : [];
  expect([...new Set(why)]).toEqual(said);
});

/** The hosts that each shard holds. */
async function hostsOf(count: number): Promise<readonly (readonly string[])[]> {
  const texts = await Promise.all(Array.from({ length: count }, (_, index) => secret(index)));
  return texts.map((found) => {
    const text = Buffer.from(Object.values(found?.data ?? {})[0] ?? '', 'base64').toString();
    return Object.keys((JSON.parse(text || '{"hosts":{}}') as { hosts: object }).hosts);
  });
}

describe('after the number of shards was raised', () => {
  const hosts = [1, 2, 3, 4, 5, 6].map(hostOf);
  beforeEach(async () => {
    const few = shards();
    for (const host of hosts) await few.serve(host, entry('old'));
  });
  test('a host that is served again lies in its own shard only, all others stay where they are', async () => {
    const [host = '', ...others] = hosts.filter((name) => shardOf(name, 4) !== 0);
    await shards({ count: 4 }).serve(host, entry('new'));
    const held = await hostsOf(4);
    expect(held[shardOf(host, 4)]).toEqual([host]);
    expect(held[0]).toEqual(hosts.filter((name) => name !== host));
    expect(others.length).toBeGreaterThan(0);
  });
  test('an old copy is removed once', async () => {
    const [host = ''] = hosts.filter((name) => shardOf(name, 4) !== 0);
    const many = shards({ count: 4 });
    await many.serve(host, entry('new'));
    const before = secretWrites().length;
    await many.serve(host, entry('newer'));
    expect(secretWrites()).toHaveLength(before + 1);
  });
  test('all that are served at once end in their own shard', async () => {
    const many = shards({ count: 4 });
    await Promise.all(hosts.map((host) => many.serve(host, entry('new'))));
    const want = [0, 1, 2, 3].map((index) => hosts.filter((host) => shardOf(host, 4) === index));
    expect(await hostsOf(4)).toEqual(want);
  });
  test('an old copy that can not be removed fails nothing, and goes with the next write', async () => {
    const [host = ''] = hosts.filter((name) => shardOf(name, 4) !== 0);
    const many = shards({ count: 4 });
    kube.setFault(({ verb, key }) => {
      if (verb === 'replace' && key.endsWith('shard-0')) throw new KubeError(500, 'InternalError', 'down');
    });
    await many.serve(host, entry('new'));
    expect(lines.join()).toContain('an old copy of a policy stays');
    kube.setFault(() => undefined);
    await many.serve(host, entry('newer'));
    expect((await hostsOf(4))[0]).not.toContain(host);
  });
});

describe('a shard that has lost its hosts', () => {
  test.each<readonly [string, (found: SecretObject) => Promise<unknown>]>([
    ['was deleted', () => kube.remove({ apiVersion: 'v1', kind: 'Secret', namespace: 'mailseal', name: 'shard-0' })],
    ['was emptied', (found) => kube.replace({ ...found, data: {} })],
    ['was damaged', (found) => kube.replace({ ...found, data: { 'shard.json': 'AAAA' } })],
    [
      'was damaged in one host',
      (found) => {
        const text = Buffer.from(found.data?.['shard.json'] ?? '', 'base64').toString();
        const broken = Buffer.from(text.replace('"policy":"one"', '"policy":1')).toString('base64');
        return kube.replace({ ...found, data: { 'shard.json': broken } });
      },
    ],
  ])('because it %s calls for a look at every domain, once', async (_, harm) => {
    await shards().serve(hostOf(1), entry('one'));
    await shards().serve(hostOf(2), entry('two'));
    const found = await secret();
    if (found === undefined) throw new Error('there is no shard');
    await harm(found);
    rebuilt = 0;
    const one = shards();
    await one.serve(hostOf(2), entry('newer'));
    expect(rebuilt).toBe(1);
    await one.serve(hostOf(1), entry('one'));
    expect(rebuilt).toBe(1);
    expect((await hostsOf(1))[0]?.toSorted()).toEqual([hostOf(1), hostOf(2)]);
  });
  test('is not one that is whole', async () => {
    await shards().serve(hostOf(1), entry('one'));
    rebuilt = 0;
    await shards().serve(hostOf(2), entry('two'));
    expect(rebuilt).toBe(0);
  });
});
