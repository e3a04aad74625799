/** What users do to the objects that the operator keeps: each is deleted or spoilt while all is well. */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Reason } from '../../../src/api/reasons.ts';
import { apiVersion, type MailDomain, type MailExchanger } from '../../../src/api/types.ts';
import type { ConfigMapObject, SecretObject } from '../../../src/kube/types.ts';
import { waitFor } from '../../lab/process.ts';
import { operatorNamespace, tenant } from '../cluster.ts';
import { objectName } from '../objects.ts';
import { asked } from './trial.ts';
import { ask, asUndisturbed, byOthers, type Fault, type Stage } from './fault.ts';

type Kept = SecretObject | ConfigMapObject;

interface Target {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly namespace: string;
  /** Which of the namespace's objects it is. */
  readonly is: (object: Kept) => boolean;
}

const label = (name: string, value: string) => (object: Kept) => object.metadata.labels?.[name] === value;
const named = (beginning: string) => (object: Kept) => object.metadata.name.startsWith(beginning);
const own = { kind: 'Secret', namespace: operatorNamespace } as const;

const targets = {
  exchanger: { ...own, is: label('mailseal.dev/state', 'exchanger') },
  domain: { ...own, is: label('mailseal.dev/state', 'domain') },
  account: { ...own, is: named('mailseal-issuer-') },
  shard: { ...own, is: named('mailseal-policy-shard-') },
  tls: { ...own, namespace: tenant, is: named(`${objectName}-tls`) },
  claim: { kind: 'ConfigMap', namespace: operatorNamespace, is: label('mailseal.dev/claim', 'domain') },
  installation: { kind: 'ConfigMap', namespace: operatorNamespace, is: named('mailseal-installation') },
} satisfies Readonly<Record<string, Target>>;

async function find({ lane }: Stage, { kind, namespace, is }: Target): Promise<Kept | undefined> {
  const all = await lane.kube.list<Kept>({ apiVersion: 'v1', kind, namespace });
  return all.find(is);
}

async function required(stage: Stage, target: Target): Promise<Kept> {
  const found = await find(stage, target);
  if (found === undefined) throw new Error(`there is no ${target.kind} of the wanted kind in ${target.namespace}`);
  return { ...found, apiVersion: 'v1', kind: target.kind };
}

/** What is known of a shard may be five seconds old. */
async function askLater(stage: Stage): Promise<void> {
  await pause(6000);
  await ask(stage);
}

async function restart({ life }: Stage): Promise<void> {
  life.kill();
  await life.again();
}

async function untilSaid({ lane }: Stage, reason: Reason, said = true): Promise<void> {
  await waitFor(`${reason} is ${said ? 'said' : 'taken back'}`, async () => {
    const objects = await Promise.all(
      ['MailDomain', 'MailExchanger'].map((kind) =>
        lane.kube.get<MailDomain | MailExchanger>({ apiVersion, kind, namespace: tenant, name: objectName }),
      ),
    );
    return said === objects.some((object) => object?.status?.conditions?.some((one) => one.reason === reason) === true);
  });
}

const digest = (object: Kept | undefined): string =>
  createHash('sha256')
    .update(JSON.stringify(object?.data ?? {}))
    .digest('hex');

interface Damage {
  readonly target: Target;
  readonly how: (stage: Stage, object: Kept) => Promise<void>;
  /** What makes the operator look: a question, or its start. */
  readonly look: (stage: Stage) => Promise<void>;
  /** It must be there again, with what it held. */
  readonly same?: boolean;
  /** What is a problem elsewhere and no more than a consequence here. */
  readonly tolerated?: RegExp;
}

/** In steady state something is damaged; then all must be well again, and a change of spec must go through. */
function mended({ target, how, look, same = false, tolerated }: Damage): Fault['play'] {
  return async (stage) => {
    const problems = [...(await stage.converge('new-domain'))];
    const before = await required(stage, target);
    await byOthers(stage, () => how(stage, before));
    await look(stage);
    if (same) {
      await waitFor(`${before.metadata.name} holds what it held`, async () => {
        const now = await find(stage, target);
        return digest(now) === digest(before);
      });
    } else {
      await waitFor(`${before.metadata.name} is there again`, async () => {
        const now = await find(stage, target);
        return now !== undefined && now.metadata.resourceVersion !== before.metadata.resourceVersion;
      });
    }
    problems.push(...(await stage.converge('spec-change')));
    return problems.filter((problem) => tolerated?.test(problem) !== true);
  };
}

/** In steady state something is spoilt: that is said, nothing is written over it, and when it is put back all is well. */
function stated(target: Target, how: Damage['how'], reason: Reason): Fault['play'] {
  return async (stage) => {
    const problems = [...(await stage.converge('new-domain'))];
    const before = await required(stage, target);
    await byOthers(stage, () => how(stage, before));
    const spoilt = await required(stage, target);
    await askLater(stage);
    await untilSaid(stage, reason);
    const after = await required(stage, target);
    if (after.metadata.resourceVersion !== spoilt.metadata.resourceVersion) problems.push('it was written over');
    await stage.lane.kube.replace({ ...after, data: before.data ?? {} });
    await asked(stage, () => untilSaid(stage, reason, false));
    return [...problems, ...(await stage.converge('new-domain')), ...(await stage.converge('spec-change'))];
  };
}

/** A state is put back to what it was before the last change. */
function older(target: Target): Fault['play'] {
  return async (stage) => {
    const problems = [...(await stage.converge('new-domain'))];
    const { data = {} } = await required(stage, target);
    problems.push(...(await stage.converge('spec-change')));
    const now = await required(stage, target);
    await byOthers(stage, () => stage.lane.kube.replace({ ...now, data }));
    await askLater(stage);
    problems.push(...(await stage.converge('spec-change')));
    return problems.filter((problem) => !madeAgain.test(problem));
  };
}

const remove: Damage['how'] = async ({ lane }, { kind, metadata }) =>
  lane.kube.remove({ apiVersion: 'v1', kind, name: metadata.name, namespace: metadata.namespace ?? '' });

/** Each value becomes what `change` makes of it; Secrets hold base64. */
function spoil(change: (value: string) => string): Damage['how'] {
  return async ({ lane }, object) => {
    const secret = object.kind === 'Secret';
    const changed = (text: string): string =>
      secret
        ? Buffer.from(change(Buffer.from(text, 'base64').toString('latin1')), 'latin1').toString('base64')
        : change(text);
    const data = Object.fromEntries(Object.entries(object.data ?? {}).map(([key, value]) => [key, changed(value)]));
    await lane.kube.replace({ ...object, data });
  };
}

const garbage = spoil(() => '\u0000\u00ff\u00fe not what it was');
const truncated = spoil((text) => text.slice(0, text.length / 2));
const newer = spoil((text) => text.replace('"formatVersion":1', '"formatVersion":99'));

/** What a state that was lost costs: keys and certificates are made again. */
const madeAgain = /keys of the (exchanger|domain) .*were stored|orders were/u;
const kept = 'StateUnreadable is said, nothing is written over it; put back, all goes on';
const again = 'made again with what it held; then a change of spec goes through';

const spoilings = { garbage, truncated, 'newer-format': newer } as const;

const unreadable = (['exchanger', 'domain'] as const).flatMap((of) =>
  Object.entries(spoilings).map(
    ([kind, how]): Fault => ({
      name: `state-${of}-${kind}`,
      fault: `the durable state of the ${of} is spoilt: ${kind.replace('-', ' ')}`,
      holds: kept,
      play: stated(targets[of], how, 'StateUnreadable'),
    }),
  ),
);

const rebuilt = (['tls', 'shard'] as const).flatMap((of) =>
  Object.entries({ deleted: remove, garbage, truncated }).map(
    ([kind, how]): Fault => ({
      name: `secret-${of}-${kind}`,
      fault: `${of === 'tls' ? 'the Secret that the MX host mounts' : 'a shard of policies'} is ${kind}`,
      holds: again,
      ...(of === 'tls' && how !== remove ? { excuses: { I7: 'a user writes what is no pair' } } : {}),
      play: mended({ target: targets[of], how, look: askLater, same: true }),
    }),
  ),
);

export const secretFaults: readonly Fault[] = [
  ...unreadable,
  ...(['exchanger', 'domain'] as const).map(
    (of): Fault => ({
      name: `state-${of}-older`,
      fault: `the durable state of the ${of} is put back to what it was before the last change`,
      holds: asUndisturbed,
      play: older(targets[of]),
    }),
  ),
  ...rebuilt,
  ...(['exchanger', 'domain'] as const).map(
    (of): Fault => ({
      name: `state-${of}-deleted`,
      fault: `the durable state of the ${of} is deleted`,
      holds: 'Ready again, with the zone of an undisturbed run; what is lost is made again',
      play: mended({ target: targets[of], how: remove, look: askLater, tolerated: madeAgain }),
    }),
  ),
  {
    name: 'account-deleted',
    fault: 'the ACME account is deleted, and the operator restarted',
    holds: asUndisturbed,
    play: async (stage) => {
      const problems = [...(await stage.converge('new-domain'))];
      await remove(stage, await required(stage, targets.account));
      await restart(stage);
      return [...problems, ...(await stage.converge('spec-change'))];
    },
  },
  {
    name: 'account-garbage',
    fault: 'the ACME account is spoilt, and the operator restarted',
    holds: kept,
    play: async (stage) => {
      const problems = [...(await stage.converge('new-domain'))];
      const before = await required(stage, targets.account);
      await garbage(stage, before);
      await restart(stage);
      const stuck = stage.converge('spec-change');
      await untilSaid(stage, 'StateUnreadable');
      const after = await required(stage, targets.account);
      await stage.lane.kube.replace({ ...after, data: before.data ?? {} });
      await ask(stage);
      return [...problems, ...(await stuck)].filter((problem) => !problem.includes('StateUnreadable'));
    },
  },
  {
    name: 'claim-deleted',
    fault: 'the claim of the domain is deleted, and the operator restarted',
    holds: again,
    play: mended({ target: targets.claim, how: remove, look: restart, same: true }),
  },
  {
    name: 'installation-deleted',
    fault: 'the installation id is deleted, and the operator restarted',
    holds: again,
    play: mended({ target: targets.installation, how: remove, look: restart, same: true }),
  },
];
