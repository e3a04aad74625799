import { describe, expect, test } from 'vitest';
import { createEventRecorder, type EventNote } from '../../src/kube/events.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { createFakeKube, type FakeKube } from '../fakes/kube.ts';

const domain: KubeObject = {
  apiVersion: 'mailseal.dev/v1alpha1',
  kind: 'MailDomain',
  metadata: { name: 'example', namespace: 'mail', uid: 'u1', resourceVersion: '7' },
};
const note: EventNote = { type: 'Warning', reason: 'Conflict', action: 'Reconcile', message: 'Someone else has it.' };

function scene(): {
  kube: FakeKube;
  at: (seconds: number, given?: Partial<EventNote>) => Promise<void>;
  errors: unknown[];
} {
  const kube = createFakeKube();
  const errors: unknown[] = [];
  let now = Date.UTC(2026, 0, 1);
  const start = now;
  const recorder = createEventRecorder({
    kube,
    controller: 'mailseal.dev/operator',
    instance: 'pod-1',
    onError: (error) => void errors.push(error),
    clock: { now: () => now },
  });
  const at = (seconds: number, given: Partial<EventNote> = {}): Promise<void> => {
    now = start + seconds * 1000;
    return recorder.record(domain, { ...note, ...given });
  };
  return { kube, at, errors };
}

describe('an event recorder', () => {
  test('writes the same only once an hour, and then says how often it came', async () => {
    const { kube, at } = scene();
    for (const seconds of [0, 10, 600, 3599]) await at(seconds);
    expect(kube.dump()).toHaveLength(1);
    await at(3600);
    expect(kube.dump()).toHaveLength(2);
    expect(kube.dump()[0]).not.toHaveProperty('series');
    expect(kube.dump()[1]).toMatchObject({
      metadata: { namespace: 'mail' },
      regarding: { kind: 'MailDomain', name: 'example', uid: 'u1' },
      eventTime: '2026-01-01T01:00:00.000000Z',
      series: { count: 4 },
    });
  });

  test.each<[string, Partial<EventNote>]>([
    ['reason', { reason: 'Other' }],
    ['message', { message: 'Another.' }],
    ['type', { type: 'Normal' }],
  ])('writes another %s at once', async (_, given) => {
    const { kube, at } = scene();
    await at(0);
    await at(0, given);
    expect(kube.dump()).toHaveLength(2);
  });

  test('tells of a failure, never throws, and tries again the next time', async () => {
    const { kube, at, errors } = scene();
    kube.setFault(() => {
      throw new Error('down');
    });
    await at(0);
    expect(errors).toHaveLength(1);
    kube.setFault(() => undefined);
    await at(1);
    expect(kube.dump()).toHaveLength(1);
  });

  test('cuts a long message to 1024 bytes without breaking a character', async () => {
    const { kube, at } = scene();
    await at(0, { message: 'ü'.repeat(1000) });
    const [event] = kube.dump() as (KubeObject & { readonly note: string })[];
    expect(Buffer.byteLength(event?.note ?? '')).toBeLessThanOrEqual(1024);
    expect(event?.note).toBe(`${'ü'.repeat(510)}…`);
  });
});
