/** Kubernetes is set back to what it was some time ago, or moved elsewhere, while the world has gone on. */
import { cpSync, rmSync } from 'node:fs';
import { apiVersion } from '../../../src/api/types.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { ConfigMapObject, KubeObject } from '../../../src/kube/types.ts';
import { ask as askDns } from '../../lab/dns-ask.ts';
import { places } from '../../lab/lab.ts';
import { operatorNamespace, tenant } from '../cluster.ts';
import { objectName } from '../objects.ts';
import { asUndisturbed, byOthers, type Fault, type Stage } from './fault.ts';
import { asked } from './trial.ts';

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
    return but(problems, issuedAgain);
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
    holds: `what stood at the backup is known for ours, the marks stay; ${asUndisturbed}`,
    play: moved,
  },
  {
    name: 'objects-made-again',
    excuses: { I16: 'whoever takes the finalizers off leaves the records to nobody, until the objects come again' },
    fault: 'the objects are deleted past their finalizers, and made again from Git with other UIDs',
    holds: asUndisturbed,
    play: madeAgain,
  },
];
