import { beforeEach, expect, test } from 'vitest';
import type { WantedCondition } from '../../src/api/conditions.ts';
import { apiVersion, type MailExchanger } from '../../src/api/types.ts';
import { createStatusWriter, type StatusWriter } from '../../src/reconcile/statuswriter.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

let time = 0;
let kube: FakeKube;
let writer: StatusWriter;
let object: MailExchanger;
const ref = { apiVersion, kind: 'MailExchanger', namespace: 'mail', name: 'mx' };

beforeEach(async () => {
  time = Date.UTC(2026, 10, 22);
  kube = createFakeKube({ now: () => time });
  writer = createStatusWriter(kube, { now: () => time });
  const { name, namespace } = ref;
  object = await kube.create<MailExchanger>({
    apiVersion,
    kind: 'MailExchanger',
    metadata: { name, namespace },
    spec: { hosts: ['a.example.com'] },
  });
});

const ready = (status: WantedCondition['status'], message = 'x'): WantedCondition => ({
  type: 'Ready',
  status,
  reason: 'Waiting',
  message,
});
const detail = (reason: WantedCondition['reason'], message = 'x'): WantedCondition => ({
  type: 'Deployed',
  status: 'False',
  reason,
  message,
});
const writes = (): number => kube.writes().filter(({ verb }) => verb === 'apply').length;
const stored = async () => (await kube.get<MailExchanger>(ref))?.status;

test('equal content is written once', async () => {
  for (let n = 0; n < 5; n += 1) {
    expect(await writer.write(object, { hosts: [] }, [ready('False')])).toBeUndefined();
    time += 3_600_000;
  }
  expect(writes()).toBe(1);
});

test('a program that starts anew writes nothing where nothing differs', async () => {
  await writer.write(object, { hosts: [] }, [ready('True')]);
  const again = createStatusWriter(kube, { now: () => time + 1 });
  expect(
    await again.write((await kube.get<MailExchanger>(ref)) ?? object, { hosts: [] }, [ready('True')]),
  ).toBeUndefined();
  expect(writes()).toBe(1);
});

test.each<readonly [string, readonly WantedCondition[], number | undefined]>([
  ['Ready turned: at once', [ready('True'), detail('Waiting')], undefined],
  [
    'it is stuck: at once',
    [ready('False'), detail('Waiting'), { type: 'Stalled', status: 'True', reason: 'NoIssuer', message: 'x' }],
    undefined,
  ],
  ['another reason: within seconds', [ready('False'), detail('AwaitingDelivery')], 7000],
  ['other words: within a minute', [ready('False'), detail('Waiting', 'y')], 59_000],
])('a difference is written when it is worth it: %s', async (_, conditions, due) => {
  await writer.write(object, {}, [ready('False'), detail('Waiting')]);
  time += 1000;
  expect(await writer.write(object, {}, conditions)).toBe(due);
  expect(writes()).toBe(due === undefined ? 2 : 1);
  time += due ?? 0;
  expect(await writer.write(object, {}, conditions)).toBeUndefined();
  expect(writes()).toBe(2);
});

test.each<readonly [string, object, number]>([
  ['is new', { name: 'b' }, 7000],
  ['was seen', { name: 'a', seen: true }, 7000],
  ['stays the same', { name: 'a' }, 59_000],
])(
  'what a human is to publish is told within seconds, and not only with the next wording: it %s',
  async (_, one, due) => {
    const status = (record: object) => ({ requiredRecords: [{ type: 'TXT', values: ['x'], seen: false, ...record }] });
    await writer.write(object, status({ name: 'a' }), [ready('False')]);
    time += 1000;
    expect(await writer.write(object, status(one), [ready('False', 'y')])).toBe(due);
  },
);

test('of many objects on their way each is first seen at once; their reasons wait, that they are ready does not', async () => {
  const many = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      kube.create<MailExchanger>({ ...object, metadata: { namespace: 'mail', name: `mx${n}` } }),
    ),
  );
  const before = writes();
  for (const one of many) await writer.write(one, {}, [ready('Unknown')]);
  expect(writes() - before).toBe(100);
  for (const one of many) await writer.write(one, {}, [ready('False'), detail('Waiting')]);
  expect(writes() - before).toBe(120);
  time += 30_000;
  for (const one of many) await writer.write(one, {}, [ready('False'), detail('AwaitingDelivery')]);
  expect(writes() - before).toBe(140);
  for (const one of many) await writer.write(one, {}, [ready('True')]);
  expect(writes() - before).toBe(240);
});

test('a reason that others held back is out after a minute at the latest', async () => {
  for (let n = 0; n < 20; n += 1) {
    const other = await kube.create<MailExchanger>({ ...object, metadata: { namespace: 'mail', name: `mx${n}` } });
    await writer.write(other, {}, [ready('Unknown')]);
    await writer.write(other, {}, [ready('False'), detail('Waiting')]);
  }
  await writer.write(object, {}, [ready('Unknown')]);
  const due = await writer.write(object, {}, [ready('False'), detail('Waiting')]);
  expect(due).toBe(60_000);
  time += due ?? 0;
  expect(await writer.write(object, {}, [ready('False'), detail('Waiting')])).toBeUndefined();
  expect((await stored())?.conditions?.[0]?.status).toBe('False');
});

test.each([{}, undefined])('a request for a fresh look is answered at once, whatever was seen: %j', async (content) => {
  const requestedAt = '2026-11-22T00:00:01Z';
  await writer.write(object, {}, [ready('False')]);
  time += 1000;
  const annotations = { 'mailseal.dev/requested-at': requestedAt };
  const asked = { ...object, metadata: { ...object.metadata, annotations } };
  await writer.write(asked, content, [ready('False', 'y')]);
  expect(await stored()).toMatchObject({ requestedAt, conditions: [{ message: 'y' }] });
  expect(await writer.write(asked, content, [ready('False', 'z')])).toBe(60_000);
});

test('a new generation is spoken of at once, and honestly', async () => {
  await writer.write(object, {}, [ready('True')]);
  const next = await kube.replace<MailExchanger>({
    ...((await kube.get<MailExchanger>(ref)) ?? object),
    spec: { hosts: ['b.example.com'] },
  });
  await writer.write(next, {}, [ready('True')]);
  expect(await stored()).toMatchObject({ observedGeneration: 2, conditions: [{ observedGeneration: 2 }] });
});

test('what is known stays where a look ended early', async () => {
  await writer.write(object, { secretName: 'mx-tls' }, [ready('True'), detail('Waiting')]);
  await writer.write(object, undefined, [{ ...ready('False'), reason: 'KubernetesUnavailable' }]);
  expect(await stored()).toMatchObject({
    secretName: 'mx-tls',
    conditions: [
      { type: 'Ready', status: 'False' },
      { type: 'Deployed', reason: 'Waiting' },
    ],
  });
});

test('what the cache was seen to show is taken from there, transitions and all', async () => {
  await writer.write(object, { hosts: [] }, [ready('False')]);
  time += 60_000;
  const shown = (await kube.get<MailExchanger>(ref)) ?? object;
  await writer.write(shown, { hosts: [] }, [ready('False')]);
  expect(writes()).toBe(1);
  const seen: MailExchanger = { ...shown, status: { ...shown.status, secretName: 'seen-in-the-cache' } };
  await writer.write(seen, undefined, [ready('False', 'other words')]);
  expect(await stored()).toMatchObject({
    secretName: 'seen-in-the-cache',
    conditions: [{ message: 'other words', lastTransitionTime: '2026-11-22T00:00:00Z' }],
  });
});

test('the time of a transition stays while the status does', async () => {
  await writer.write(object, {}, [ready('False')]);
  time += 3_600_000;
  await writer.write(object, {}, [ready('False', 'other words')]);
  expect((await stored())?.conditions?.[0]).toMatchObject({
    message: 'other words',
    lastTransitionTime: '2026-11-22T00:00:00Z',
  });
});

test('a write that failed is tried again', async () => {
  let broken = true;
  kube.setFault(({ verb }) => {
    if (broken && verb === 'apply') throw new Error('down');
  });
  await expect(writer.write(object, {}, [ready('True')])).rejects.toThrow('down');
  broken = false;
  await writer.write(object, {}, [ready('True')]);
  expect((await stored())?.conditions?.[0]?.status).toBe('True');
});

test('what was written in this run is known, until it is forgotten; an object made anew is another', async () => {
  expect(writer.knows(object)).toBe(false);
  await writer.write(object, {}, [ready('True')]);
  expect(writer.knows(object)).toBe(true);
  expect(writer.knows({ ...object, metadata: { ...object.metadata, uid: 'another' } })).toBe(false);
  writer.forget(object);
  expect(writer.knows(object)).toBe(false);
});
