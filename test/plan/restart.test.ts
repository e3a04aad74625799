import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { issueSelfSigned } from '../../src/apply/selfsigned.ts';
import type { MountedSecret } from '../../src/plan/exchanger.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { heldCertificate, planRestarts, type RestartInput } from '../../src/plan/restart.ts';
import { attestedPods, type HeldCertificate, type ObservedWorkload } from '../../src/plan/workloads.ts';
import { day, digest, exchangerState, host, key, minute, mountedSecret, now, tlsProbe } from './cases.ts';
import { planOf } from './exchanger-world.ts';
import { steps } from './steps.ts';
import { pod, seenWorkload } from './workload-cases.ts';

const held: HeldCertificate = { key: digest('c'), revision: `${digest('c')}.new`, since: now - day };
const earlier = `${digest('c')}.old`;
const otherKey = `${digest('b')}.old`;
const started = pod('postfix-0', { revision: held.revision });
const behind = seenWorkload();

function plan(seen: readonly ObservedWorkload[], change: Partial<RestartInput> & { held?: HeldCertificate } = {}) {
  const workloads = { held: change.held ?? held, seen };
  return planRestarts({
    namespace: 'mail',
    suspended: false,
    forbidden: undefined,
    endsSoon: false,
    ...change,
    workloads,
  });
}
const restarted = (...given: Parameters<typeof plan>): readonly string[] =>
  plan(...given).changes.flatMap((change) => (change.do === 'Restart' ? [change.workload.name] : []));
const waits = (...given: Parameters<typeof plan>): readonly string[] => plan(...given).waits.map(({ why }) => why);

describe('a workload', () => {
  test.each<readonly [string, ObservedWorkload, boolean]>([
    ['was never marked', behind, true],
    ['is marked with an earlier certificate', seenWorkload({ revision: earlier }), true],
    ['is marked with this one', seenWorkload({ revision: held.revision }), false],
    ['has come to rest with this one', seenWorkload({ revision: held.revision, pods: undefined }), false],
    ['has no pods', seenWorkload({ pods: [] }), false],
    ['lost its mark, and its pods started with this certificate', seenWorkload({ pods: [started] }), false],
    [
      'was made, or replaced by a tool, well after the Secret was written',
      seenWorkload({ pods: [pod('a', { createdAt: now - minute })] }),
      false,
    ],
    [
      'has a pod that was made when the Secret was written',
      seenWorkload({ pods: [pod('a', { createdAt: now - day + 1000 })] }),
      true,
    ],
    ['has no old pod but one that is leaving', seenWorkload({ pods: [started, pod('a', { leaving: true })] }), false],
    ['is not there', { kind: 'StatefulSet', name: 'postfix', is: 'Absent' }, false],
    ['may not be looked at', { kind: 'StatefulSet', name: 'postfix', is: 'Forbidden' }, false],
  ])('that %s', (_, workload, wanted) => {
    expect(restarted([workload])).toEqual(wanted ? ['postfix'] : []);
  });

  test('is restarted by its uid, marked with what the Secret holds and nothing secret', () => {
    const { kind, name, uid } = behind;
    const workload = { kind, name, uid, namespace: 'mail' };
    expect(plan([behind]).changes).toMatchObject([{ do: 'Restart', workload, revision: held.revision }]);
  });

  test('whose age proves nothing, for nobody knows since when the Secret holds that, is restarted', () => {
    const young = seenWorkload({ pods: [pod('a', { createdAt: now })] });
    expect(restarted([young], { held: { ...held, since: undefined } })).toEqual(['postfix']);
  });

  test.each<readonly [string, Partial<typeof behind>, RegExp]>([
    ['is being restarted', {}, /^the pods of StatefulSet postfix are being restarted$/u],
    ['waits for a human', { halted: 'is paused' }, /^StatefulSet postfix is paused$/u],
  ])('that %s is waited for', (_, change, words) => {
    const rolling = seenWorkload({ revision: held.revision, complete: false, ...change });
    expect(waits([rolling])).toEqual([expect.stringMatching(words)]);
  });

  test('that has an old pod still is being restarted, whatever its controller counts', () => {
    expect(waits([seenWorkload({ revision: held.revision, pods: [started, pod('postfix-1')] })])).toHaveLength(1);
  });
});

describe('of several workloads', () => {
  const second = seenWorkload({ kind: 'Deployment', name: 'second' });
  const rolling = seenWorkload({ revision: held.revision, complete: false });

  test('one is restarted at a time, so that a bad certificate stops one', () => {
    expect(restarted([behind, second])).toEqual(['postfix']);
    expect(restarted([rolling, second])).toEqual([]);
    expect(waits([rolling, second])).toContain('Deployment second is restarted after the others');
  });

  test.each<readonly [string, ObservedWorkload, Partial<RestartInput>]>([
    ['stands still', { ...rolling, halted: 'is paused' }, {}],
    ['is under way while a certificate ends', rolling, { endsSoon: true }],
    ['is not there', { kind: 'StatefulSet', name: 'postfix', is: 'Absent' }, {}],
  ])('none waits for one that %s', (_, first, change) => {
    expect(restarted([first, second], change)).toEqual(['second']);
  });
});

describe('while the object is suspended', () => {
  test.each<readonly [string, string | undefined, Partial<RestartInput>, boolean]>([
    ['a renewal of the key that the pods have goes on', earlier, {}, true],
    ['a workload that was only now named waits', undefined, {}, false],
    ['another key waits', otherKey, {}, false],
    ['another key does not wait for the old certificate to end', otherKey, { endsSoon: true }, true],
  ])('%s', (_, revision, change, wanted) => {
    const workload = seenWorkload({ revision });
    expect(restarted([workload], { suspended: true, ...change })).toEqual(wanted ? ['postfix'] : []);
    expect(waits([workload], { suspended: true, ...change })).toHaveLength(wanted ? 0 : 1);
  });
});

describe('a live TLSA set that does not match the key in the Secret', () => {
  const forbidden = { reason: 'TLSAMismatch', message: 'The set pins another key.' } as const;

  test.each<readonly [string, string | undefined, boolean]>([
    ['keeps it from pods that have another', otherKey, false],
    ['keeps it from pods of which nothing is known', undefined, false],
    ['does not hold up a renewal', earlier, true],
  ])('%s', (_, revision, wanted) => {
    const restarts = restarted([seenWorkload({ revision })], { forbidden, endsSoon: true });
    expect(restarts).toEqual(wanted ? ['postfix'] : []);
  });
});

describe('what the Secret holds', () => {
  const pem = (): string =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const keyPem = pem();
  const own = { algorithm: 'ECDSA-P256', pem: keyPem, spkiSha256: spkiSha256OfKey(keyPem) } as const;
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  const mount = async (pems: { readonly cert?: string; readonly key?: string } = {}): Promise<MountedSecret> => {
    const issued = await issueSelfSigned({ names: ['mx1.example.com'], keyPem: pems.cert ?? keyPem, years: 1, now });
    const secret = mountedSecret();
    const managedFields = [
      { time: new Date(now - day).toISOString(), fieldsV1: { 'f:data': {} } },
      { time: new Date(now).toISOString(), fieldsV1: { 'f:metadata': {} } },
    ];
    const data = { 'tls.crt': encode(issued), 'tls.key': encode(pems.key ?? keyPem) };
    return { is: 'Ours', object: { ...secret, metadata: { ...secret.metadata, managedFields }, data } };
  };

  test('is named by its key and its chain, since its data was written', async () => {
    const found = heldCertificate(await mount(), [own], now + 1000);
    expect(found).toMatchObject({ key: own.spkiSha256, since: now - day });
    expect(found?.revision).toMatch(new RegExp(`^${own.spkiSha256}\\.[0-9a-f]{16}$`, 'u'));
    expect(heldCertificate(await mount(), [own], now + 1000)?.revision).not.toBe(found?.revision);
  });

  test.each<readonly [string, () => Promise<MountedSecret>, number]>([
    ['is absent', async () => ({ is: 'Absent' }), now + 1000],
    ['belongs to someone else', async () => ({ is: 'Foreign', message: 'x' }), now + 1000],
    ['has ended', () => mount(), now + 400 * day],
    ['was made for another key', () => mount({ cert: pem() }), now + 1000],
    [
      'has a key that is none of ours',
      async () => {
        const theirs = pem();
        return mount({ cert: theirs, key: theirs });
      },
      now + 1000,
    ],
  ])('starts nothing where it %s', async (_, mounted, at) => {
    expect(heldCertificate(await mounted(), [own], at)).toBeUndefined();
  });
});

describe('a pod', () => {
  const attests = (change: Parameters<typeof pod>[1]): string | undefined =>
    attestedPods({ held, seen: [seenWorkload({ pods: [pod('a', change)] })] }, [key('b'), key('c')])[0]?.key;

  test.each<readonly [string, Parameters<typeof pod>[1], string | undefined]>([
    ['that is marked so vouches for the key in the Secret', { revision: held.revision }, digest('c')],
    ['that is younger than the delivery vouches for it', { createdAt: now - minute }, digest('c')],
    ['that is not ready vouches for nothing yet', { revision: held.revision, ready: false }, undefined],
    ['with an earlier certificate of the same key vouches for that', { revision: earlier }, digest('c')],
    ['that was marked with another key has that one, ready or not', { revision: otherKey, ready: false }, digest('b')],
    ['that is leaving has what it had', { revision: otherKey, leaving: true }, digest('b')],
    ['marked with a key that is none of ours proves nothing', { revision: `${digest('f')}.x` }, undefined],
    ['of which nothing is known proves nothing', {}, undefined],
  ])('%s', (_, change, wanted) => {
    expect(attests(change)).toBe(wanted);
  });

  test.each<readonly [string, ObservedWorkload, number]>([
    ['is not there', { kind: 'StatefulSet', name: 'postfix', is: 'Absent' }, 1],
    ['may not be looked at', { kind: 'StatefulSet', name: 'postfix', is: 'Forbidden' }, 1],
    ['has none of the pods that it should have', seenWorkload({ pods: [], complete: false }), 1],
    ['should have none', seenWorkload({ pods: [], complete: true }), 0],
  ])('is missed where a workload %s', (_, workload, count) => {
    const attested = attestedPods({ held, seen: [workload] }, [key('c')]);
    expect(attested).toEqual(
      Array.from({ length: count }, () => ({ endpoint: 'StatefulSet postfix', key: undefined })),
    );
  });
});

describe('behind one address that shows the next key to every probe', () => {
  const next = { ...held, key: digest('d'), revision: `${digest('d')}.new` };
  const swapping = exchangerState({
    rollover: { phase: 'Swapping', current: digest('c'), next: digest('d'), published: true },
  });
  const phaseWith = (...pods: readonly ReturnType<typeof pod>[]) =>
    planOf({
      state: swapping,
      mounted: { is: 'Ours', object: mountedSecret({ letter: 'd' }) },
      hosts: [host({ probes: [tlsProbe('192.0.2.1', digest('d'))] })],
      workloads: { held: next, seen: [seenWorkload({ revision: next.revision, pods, complete: pods.length > 1 })] },
    });
  const fresh = (name: string) => pod(name, { revision: next.revision });

  test('the swap is done when every pod has started with it', () => {
    expect(phaseWith(fresh('postfix-0'), fresh('postfix-1')).state.rollover.phase).toBe('Retiring');
  });

  test('one pod with the old key holds it up, and is named', () => {
    const made = phaseWith(fresh('postfix-0'), pod('postfix-1', { revision: earlier }));
    expect(made.state.rollover.phase).toBe('Swapping');
    const words = 'Still with another key: pod postfix-1 of StatefulSet postfix. Restart the mail server there.';
    expect(made.waits.map(({ why }) => why)).toContain(words);
    expect(made.lagging.join()).toContain('pod postfix-1 of StatefulSet postfix');
  });
});

test('a restart comes after the Secret, never in the look that writes it', () => {
  const workloads = { held, seen: [behind] };
  const old = { is: 'Ours', object: mountedSecret({ chain: 'an older one' }) } as const;
  expect(steps(planOf({ workloads, mounted: old }))).toEqual(['Deliver']);
  expect(steps(planOf({ workloads }))).toEqual(['Restart']);
});

test('what is to be restarted is remembered for renewals that have no spec, and forgotten when it is wanted no longer', () => {
  const restart = [{ kind: 'StatefulSet', name: 'postfix' }] as const;
  const made = planOf({}, { restart });
  expect(made.state.restart).toEqual(restart);
  expect(planOf({ state: made.state }).state.restart).toBeUndefined();
});
