/** Kubernetes is set back to what it was some time ago, or moved elsewhere, while the world has gone on. */
import { cpSync, rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { apiVersion } from '../../../src/api/types.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { ConfigMapObject, KubeObject, SecretObject } from '../../../src/kube/types.ts';
import { ask as askDns } from '../../lab/dns-ask.ts';
import { places } from '../../lab/lab.ts';
import { passDays } from '../aging.ts';
import { operatorNamespace, tenant } from '../cluster.ts';
import { objectName } from '../objects.ts';
import { asUndisturbed, byOthers, type Fault, type Stage } from './fault.ts';
import { asked, hear } from './trial.ts';

/** What was issued after the backup was made is issued again. */
const issuedAgain = /orders were/u;
/** A record that was first made after the backup is left as it is found: nothing tells it from a stranger's. */
const found = /is taken for somebody else's/u;

const but = (problems: readonly string[], ...tolerated: readonly RegExp[]): readonly string[] =>
  problems.filter((problem) => !tolerated.some((one) => one.test(problem)));

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
    return but(problems, issuedAgain, found);
  };
}

const installation = 'mailseal-installation';

type Backup = readonly KubeObject[];

/** All that docs/restore.md says to back up, but the installation id, which is handed over by hand. */
async function backup({ lane: { kube } }: Stage): Promise<Backup> {
  const core = ['Secret', 'ConfigMap'].flatMap((kind) =>
    [operatorNamespace, tenant].map((namespace) => ({ apiVersion: 'v1', kind, namespace })),
  );
  const own = ['DNSProvider', 'CertificateIssuer', 'MailExchanger', 'MailDomain'].map((kind) => ({ apiVersion, kind }));
  const lists = await Promise.all(
    [...core, ...own].map(async (query) =>
      (await kube.list<KubeObject>(query)).map((object) => ({ ...object, ...query, namespace: undefined })),
    ),
  );
  return lists.flat().filter(({ metadata: { name } }) => name !== installation && !name.includes('-policy-shard-'));
}

/** As kubectl would create them: nothing of the status, and UIDs and versions of their own. */
async function restoreInto(kube: KubeClient, objects: Backup): Promise<void> {
  for (const object of objects) {
    const { status: _, ...rest } = object as KubeObject & { readonly status?: unknown };
    const { name, namespace, labels, annotations, finalizers, ownerReferences } = object.metadata;
    const metadata = { name, namespace, labels, annotations, finalizers, ownerReferences };
    await kube.create(JSON.parse(JSON.stringify({ ...rest, metadata })) as KubeObject);
  }
}

async function installationIdOf({ lane: { kube } }: Stage): Promise<string> {
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: operatorNamespace, name: installation };
  const id = (await kube.get<ConfigMapObject>(ref))?.data?.['installationId'];
  if (id === undefined) throw new Error('there is no installation id');
  return id;
}

/** The stage on a second cluster, with a backup in it and the id handed over; no operator is at work there yet. */
async function restoredElsewhere(stage: Stage, objects: Backup): Promise<Stage> {
  const id = await installationIdOf(stage);
  const other = await stage.lane.anotherCluster();
  await restoreInto(other.kube, objects);
  const there = await stage.move(other);
  there.dress({ flags: ['--installation-id', id] });
  return there;
}

/** Both marks name one installation, and it is the one of before. */
async function otherMarks({ domain }: Stage, id: string): Promise<readonly string[]> {
  const marks = [`_mailseal.${domain}`, `_mailseal.mx.${domain}`];
  const answers = await Promise.all(
    marks.map((name) => askDns({ server: places.primary.v4, name, type: 'TXT' }).then((one) => one.answers)),
  );
  return answers.flatMap((all, index) => {
    const texts = all.flatMap((one) => (one.type === 'TXT' ? [[one.data].flat().map(String).join('')] : []));
    const right = texts.length === 1 && texts[0]?.endsWith(`owner=${id}`) === true;
    return right ? [] : [`${marks[index]} says ${JSON.stringify(texts)}, not ${id} alone`];
  });
}

/** A backup is made, the spec changes, the cluster is lost, and the backup restored in another. */
async function moved(stage: Stage): Promise<readonly string[]> {
  const problems = [...(await stage.converge('new-domain'))];
  const objects = await backup(stage);
  problems.push(...(await stage.converge('spec-change')));
  const id = await installationIdOf(stage);
  const there = await restoredElsewhere(stage, objects);
  problems.push(...(await asked(there, () => there.converge('spec-change', 300_000))));
  return [...but(problems, issuedAgain, found), ...(await otherMarks(there, id))];
}

/** For which two that fight are watched, and how many updates of both are no fight. */
const fightMs = 20_000;
const mostUpdates = 6;
const oneDay = 1;

/** The backup is restored in another cluster while the old operator goes on in the first. */
async function besideTheOld(stage: Stage): Promise<readonly string[]> {
  const problems = [...(await stage.converge('new-domain'))];
  const there = await restoredElsewhere(stage, await backup(stage));
  const { gate, kube } = there.lane;
  gate.arm({ spot: undefined, kill: () => undefined, witness: there.testimony });
  const old = stage.lane.startOperator({ name: 'old' });
  there.atEnd(() => old.stop());
  there.life.start();
  const words = /two installations have the same id\. Stop one of them/u;
  problems.push(...(await asked(there, () => hear(there, { reason: 'Conflict', words }))));
  const updates = (): number => gate.seen().filter(({ what }) => what === 'update dns').length;
  const before = updates();
  await asked(there, () => asked(stage, () => pause(fightMs)));
  const more = updates() - before;
  if (more > mostUpdates) problems.push(`${more} updates were sent in ${fightMs / 1000} s after the conflict was said`);
  await old.stop();
  // The pause that was made for the other's sake is over.
  await there.life.stop();
  await passDays(kube, oneDay);
  there.observer.told({ is: 'changed-by-others' });
  problems.push(...(await asked(there, () => there.converge('new-domain', 300_000))));
  return but(problems, issuedAgain, / Conflict: /u);
}

/** With no operator at work somebody deletes the objects and takes their finalizers off; they come again from Git. */
async function madeAgain(stage: Stage): Promise<readonly string[]> {
  const { lane, life, converge } = stage;
  const problems = [...(await converge('new-domain'))];
  await life.stop();
  await byOthers(stage, async () => {
    for (const kind of ['MailDomain', 'MailExchanger']) {
      const ref = { apiVersion, kind, namespace: tenant, name: objectName };
      const object = await lane.kube.get<KubeObject>(ref);
      if (object === undefined) throw new Error(`there is no ${kind}`);
      await lane.kube.replace({ ...object, metadata: { ...object.metadata, finalizers: [] } });
      await lane.kube.remove(ref);
    }
  });
  return [...problems, ...(await converge('new-domain')), ...(await converge('spec-change'))];
}

async function exchangerState({ lane }: Stage): Promise<SecretObject> {
  const secrets = await lane.kube.list<SecretObject>({
    apiVersion: 'v1',
    kind: 'Secret',
    namespace: operatorNamespace,
  });
  const state = secrets.find(({ metadata }) => metadata.labels?.['mailseal.dev/state'] === 'exchanger');
  if (state === undefined) throw new Error('there is no state of the exchanger');
  return { ...state, apiVersion: 'v1', kind: 'Secret' };
}

async function mountedChain({ lane }: Stage): Promise<string> {
  const ref = { apiVersion: 'v1', kind: 'Secret', namespace: tenant, name: `${objectName}-tls` };
  return (await lane.kube.get<SecretObject>(ref))?.data?.['tls.crt'] ?? '';
}

/** After a renewal the exchanger's state is set back to what it was before. */
async function olderState(stage: Stage): Promise<readonly string[]> {
  const { lane, life, converge } = stage;
  const problems = [...(await converge('new-domain')), ...(await converge('spec-change'))];
  problems.push(...(await converge('second-domain')));
  const older = await exchangerState(stage);
  problems.push(...(await converge('renewal')));
  const renewed = await mountedChain(stage);
  await life.stop();
  const { metadata } = await exchangerState(stage);
  await byOthers(stage, () => lane.kube.replace({ ...older, metadata }));
  problems.push(...(await asked(stage, () => converge('second-domain'))));
  const now = await mountedChain(stage);
  if (now !== renewed) problems.push('the certificate that was renewed was taken from the hosts again');
  return but(problems, issuedAgain);
}

/** In the new cluster another observer begins. */
const seenAnew = {
  I2: 'the id that he finds is served by the pods of the old cluster alone',
  I5: "he takes all that stands when he begins for a stranger's",
} as const;

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
  {
    name: 'moved',
    excuses: seenAnew,
    fault: 'a backup from before the last change is restored in another cluster, with the installation id handed over',
    holds: `all records are known for ours, the marks stay; ${asUndisturbed}`,
    play: moved,
  },
  {
    name: 'moved-beside-the-old',
    fault: 'the backup is restored in another cluster, and the old operator goes on beside it',
    excuses: { ...seenAnew, I4: 'two programs announce in turn' },
    holds: `Conflict is said, and neither goes on writing over the other; the old one stopped, ${asUndisturbed}`,
    play: besideTheOld,
  },
  {
    name: 'objects-made-again',
    excuses: { I16: 'whoever takes the finalizers off leaves the records to nobody, until the objects come again' },
    fault: 'the objects are deleted past their finalizers, and made again from Git with other UIDs',
    holds: asUndisturbed,
    play: madeAgain,
  },
  {
    name: 'state-exchanger-older',
    fault: 'the durable state of the exchanger is set back to before a renewal',
    holds: 'Ready, with the zone and the keys of an undisturbed run; the hosts keep the renewed certificate',
    play: olderState,
  },
];
