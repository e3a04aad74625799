/**
 * Two operators and one Lease: the leader is killed, or told to end, and the time is taken until the other has written
 * what only a leader writes: the status of an object that was changed when the first was gone. All the while the leader
 * has a look under way at a CA that takes connections and never answers.
 */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { apiVersion, type CertificateIssuer, type MailDomain } from '../src/api/types.ts';
import { createKube, type KubeClient } from '../src/kube/client.ts';
import { loadKubeConfig } from '../src/kube/config.ts';
import { bundle } from '../test/lab/bundle.ts';
import { type ControlPlane, startControlPlane } from '../test/lab/controlplane.ts';
import { leanEnv } from '../test/lab/image.ts';
import { operatorFlags } from './operator-flags.ts';
import { kubectl } from '../test/lab/kubectl.ts';
import { labDir } from '../test/lab/namespace.ts';
import { type Running, startProcess, waitFor } from '../test/lab/process.ts';
import { median, row } from './report.ts';

const [file = '', ...flags] = process.argv.slice(2);
const quick = flags.includes('--quick');
const [kills, ends] = quick ? [3, 2] : [20, 10];
const operatorNamespace = 'mailseal-system';
const renewalMs = 2000;
const patience = { timeoutMs: 60_000, everyMs: 10 } as const;
const dir = labDir();

interface Operator {
  readonly part: Running;
  readonly leads: () => boolean;
}

let started = 0;

/** Resolves when it is ready to lead. */
async function startOperator(plane: ControlPlane): Promise<Operator> {
  started += 1;
  const name = `operator${started}`;
  const port = 9100 + started;
  const place = ['--kubeconfig', plane.kubeconfig, '--namespace', operatorNamespace, '--tenant-namespaces', 'mail'];
  // Nothing here is looked up, and no answer is waited for.
  const rest = ['--outside-resolver', 'udp://127.0.0.1:9', '--http-address', `127.0.0.1:${port}`];
  const log = join(dir, `${name}.log`);
  const part = startProcess({
    name,
    argv: [process.execPath, ...operatorFlags(), join(dir, 'bundle', 'main.js'), 'operator', ...place, ...rest],
    log,
    env: leanEnv,
  });
  const ready = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await waitFor(`${name} is ready`, ready, { ...patience, part });
  return { part, leads: () => readFileSync(log, 'utf8').includes('"message":"leading"') };
}

const domainOf = (maxAgeSeconds: number): MailDomain => ({
  apiVersion,
  kind: 'MailDomain',
  metadata: { name: 'one', namespace: 'mail' },
  spec: { domain: 'example.test', mx: { hosts: ['mx1.example.test'] }, mtaSts: { maxAgeSeconds } },
});

async function startTarpit(): Promise<Server> {
  const server = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const slowIssuer = (server: Server): CertificateIssuer => ({
  apiVersion,
  kind: 'CertificateIssuer',
  metadata: { name: 'tarpit' },
  spec: { acme: { server: `https://127.0.0.1:${(server.address() as AddressInfo).port}/directory` } },
});

/** Ends the leader by `signal`, changes the object, and resolves with the seconds until the other leads and has said so. */
async function failover(
  kube: KubeClient,
  [leader, other]: readonly [Operator, Operator],
  signal: 'SIGKILL' | 'SIGTERM',
  turn: number,
): Promise<number> {
  // Anywhere between two renewals of the Lease.
  await pause((turn * 0.37 * renewalMs) % renewalMs);
  const began = performance.now();
  leader.part.signal(signal);
  const { metadata } = await kube.apply(domainOf(100_000 + turn), { fieldManager: 'bench' });
  await waitFor(
    'the other operator writes',
    async () => {
      const now = await kube.get<MailDomain>({ apiVersion, kind: 'MailDomain', namespace: 'mail', name: 'one' });
      // What the old one still does when it is told to end does not count.
      return other.leads() && now?.status?.observedGeneration === metadata.generation;
    },
    patience,
  );
  return (performance.now() - began) / 1000;
}

async function main(): Promise<void> {
  await bundle(join(dir, 'bundle'));
  const plane = await startControlPlane({ dir: join(dir, 'cluster') });
  const crds = resolve(import.meta.dirname, '../crds');
  await kubectl(plane.kubeconfig, 'apply', '--server-side', '-f', crds);
  await kubectl(plane.kubeconfig, 'wait', '--for=condition=Established', '-f', crds);
  for (const name of [operatorNamespace, 'mail']) await kubectl(plane.kubeconfig, 'create', 'namespace', name);
  const kube = createKube(await loadKubeConfig({ from: 'file', file: plane.kubeconfig }), { userAgent: 'bench' });
  const tarpit = await startTarpit();
  await kube.apply(slowIssuer(tarpit), { fieldManager: 'bench' });
  let leader = await startOperator(plane);
  await waitFor('the first operator leads', leader.leads, patience);
  const seconds = { SIGKILL: [] as number[], SIGTERM: [] as number[] };
  const turns = [...Array<'SIGKILL'>(kills).fill('SIGKILL'), ...Array<'SIGTERM'>(ends).fill('SIGTERM')];
  for (const [turn, signal] of turns.entries()) {
    const other = await startOperator(plane);
    const taken = await failover(kube, [leader, other], signal, turn + 1);
    seconds[signal].push(taken);
    process.stderr.write(`${signal} ${turn + 1}: ${taken.toFixed(2)} s\n`);
    await leader.part.ended;
    leader = other;
  }
  const { SIGKILL: killed, SIGTERM: ended } = seconds;
  const rows = [
    row(`kill -9 of the leader to the other's first write, p99 of ${kills}`, Math.max(...killed), 's', 20),
    row('the same, median', median(killed), 's', null),
    row(`SIGTERM to the leader to the other's first write, most of ${ends}`, Math.max(...ended), 's', 1),
    row('the same, median', median(ended), 's', null),
  ];
  writeFileSync(file, JSON.stringify(rows));
  await leader.part.stop();
  kube.close();
  tarpit.close();
  await plane.stop();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
// Whatever a failed step left running ends with the namespaces.
process.exit();
