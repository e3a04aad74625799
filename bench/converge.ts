/**
 * Many domains applied at once, each with a certificate of its own for `mta-sts.D` and four record sets, all on one
 * MX host: how long until all are Ready and what it costs, beside the same orders and updates driven raw; then what an
 * operator takes that has nothing to do.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { conditionOf } from '../src/api/conditions.ts';
import type { MailDomain } from '../src/api/types.ts';
import { createKube } from '../src/kube/client.ts';
import { loadKubeConfig } from '../src/kube/config.ts';
import { createReflector } from '../src/kube/reflector.ts';
import { bundle } from '../test/lab/bundle.ts';
import { readWrites, startCounting } from '../test/lab/counts.ts';
import { operatorUser } from '../test/lab/demo/install.ts';
import { createSteps } from '../test/lab/demo/steps.ts';
import type { ZoneSpec } from '../test/lab/dns-zone.ts';
import { labDir } from '../test/lab/namespace.ts';
import { waitFor } from '../test/lab/process.ts';
import { atMost, type Placed, runFloor } from './converge-floor.ts';
import { type BulkLab, exchanger, startBulkLab } from './converge-lab.ts';
import { namespace } from './operator-part.ts';
import { ownCounts, settled, watchHealth } from './operator-watch.ts';
import { cpuByProgram, cpuSeconds, type Program, residentMegabytes } from './proc.ts';
import { type Found, growth, rowsOf } from './converge-rows.ts';

const { values: flags, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    /** Numbers of domains other than those that the aims speak of. */
    size: { type: 'string', multiple: true, default: [] },
    /** Where the operator leaves a profile of its processor time. */
    profile: { type: 'string' },
    /** Hardly idles: for who tries something out. */
    brief: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const [file = ''] = positionals;
const { quick, profile, brief } = flags;
const asked = flags.size.map(Number);
const sizes = asked.length > 0 ? asked : quick ? [50, 200] : [100, 1000, 5000];
const hasty = brief || profile !== undefined;
const quietMs = hasty ? 5_000 : 61_000;
const idleSeconds = hasty ? 30 : quick ? 60 : 300;
const mostZones = 20;
const floorAtOnce = 64;
const patienceMs = 45 * 60 * 1000;
const steps = createSteps((text) => void process.stderr.write(text));

const zoneName = (index: number): string => `z${index % mostZones}.test`;

function placed(letter: 'd' | 'f', size: number): readonly Placed[] {
  return Array.from({ length: size }, (_, index) => {
    const zone = zoneName(index);
    return { domain: `${letter}${index}.${zone}`, zone };
  });
}

function zonesFor(domains: readonly Placed[]): readonly ZoneSpec[] {
  const byZone = Map.groupBy(domains, ({ zone }) => zone);
  return [...byZone].map(([name, those]) => ({
    name,
    records: those.map(({ domain }) => `${domain}. MX 10 mx1.example.test.`).join('\n'),
  }));
}

const manifest = ({ domain }: Placed): MailDomain => ({
  apiVersion: 'mailseal.dev/v1alpha1',
  kind: 'MailDomain',
  metadata: { name: domain, namespace },
  spec: {
    domain,
    exchangerRefs: [{ name: exchanger }],
    mtaSts: { ttlSeconds: 5, promotion: { immediately: true } },
    tlsRpt: { rua: ['mailto:tls@example.test'] },
  },
});

/** Creates all, and resolves with the seconds after which each was Ready, in order. */
async function convergeAll({ controlPlane }: BulkLab, domains: readonly Placed[]): Promise<readonly number[]> {
  const access = await loadKubeConfig({ from: 'file', file: controlPlane.kubeconfig, context: undefined });
  const kube = createKube(access, { userAgent: 'bench' });
  const readyAt = new Map<string, number>();
  const started = performance.now();
  const reflector = createReflector<MailDomain, MailDomain>({
    kube,
    query: { apiVersion: 'mailseal.dev/v1alpha1', kind: 'MailDomain', namespace },
    select: (object) => object,
    onChange: (key, entry) => {
      if (conditionOf(entry?.status?.conditions, 'Ready')?.status !== 'True') readyAt.delete(key);
      else if (!readyAt.has(key)) readyAt.set(key, (performance.now() - started) / 1000);
    },
  });
  reflector.start();
  await reflector.synced;
  await atMost(32, domains, async (one) => void (await kube.create(manifest(one))));
  steps.say(`    all created after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  let said = 0;
  const all = (): boolean => {
    const tenth = Math.floor((readyAt.size / domains.length) * 10);
    if (tenth > said)
      steps.say(`    ${readyAt.size} Ready after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    said = tenth;
    return readyAt.size === domains.length;
  };
  try {
    await waitFor(`${domains.length} domains Ready`, all, { timeoutMs: patienceMs, everyMs: 100 });
  } finally {
    for (const [key, entry] of reflector.entries()) {
      const ready = conditionOf(entry.status?.conditions, 'Ready');
      if (ready?.status !== 'True') steps.say(`    ${key}: ${ready?.reason}: ${ready?.message}`);
    }
    await reflector.stop();
    kube.close();
  }
  return [...readyAt.values()].sort((a, b) => a - b);
}

async function idle(lab: BulkLab): Promise<Pick<Found, 'idleWrites' | 'idleShare'>> {
  const ours = () =>
    readWrites(lab.controlPlane.auditLogPath).filter(
      ({ user, resource }) => user === operatorUser && resource !== 'leases',
    );
  const before = ours().length;
  const cpu = cpuSeconds(lab.operator.pid);
  await pause(idleSeconds * 1000);
  const share = ((cpuSeconds(lab.operator.pid) - cpu) / idleSeconds) * 100;
  const late = ours().slice(before);
  for (const { verb, resource, name } of late.slice(0, 10)) steps.say(`    idle: ${verb} ${resource} ${name}`);
  return { idleWrites: late.length, idleShare: share };
}

async function measure(size: number, program: string): Promise<Found> {
  const domains = placed('d', size);
  const floors = placed('f', size);
  const dir = join(labDir(), `n${size}`);
  const zones = zonesFor([...domains, ...floors]);
  const lab = await steps.run(`${size}: a lab`, () => startBulkLab(dir, program, zones, profile));
  const floor = await steps.run(`${size}: the floor`, () => runFloor(lab, floors, floorAtOnce));
  steps.say(`    floor: ${JSON.stringify(floor)}`);
  const auditLog = lab.controlPlane.auditLogPath;
  const zoneNames = zones.map(({ name }) => name);
  const counted = startCounting({ ...lab, auditLog, user: operatorUser, zones: zoneNames });
  const before = {
    cpu: cpuSeconds(lab.operator.pid),
    questions: lab.bind.queries().length,
    own: await ownCounts(lab, 'domain'),
  };
  const programs = cpuByProgram();
  const health = watchHealth(lab);
  const readyAt = await steps.run(`${size}: domains`, () => convergeAll(lab, domains));
  const cpu = cpuSeconds(lab.operator.pid) - before.cpu;
  const after = Object.entries(cpuByProgram()) as (readonly [Program, number])[];
  const others = Object.fromEntries(after.map(([name, seconds]) => [name, seconds - programs[name]]));
  const own = await ownCounts(lab, 'domain');
  const questions = lab.bind.queries().length - before.questions;
  const { p99Ms, peakMegabytes } = health();
  await steps.run(`${size}: settling`, () => settled(lab, quietMs));
  const { kubernetes, acme, dns } = counted();
  steps.say(`    ${JSON.stringify({ kubernetes, acme, dns: Object.values(dns).reduce((a, b) => a + b, 0) })}`);
  const rest = await steps.run(`${size}: idle for ${idleSeconds} s`, () => idle(lab));
  const found: Found = {
    size,
    seconds: readyAt.at(-1) ?? Number.NaN,
    floor,
    cpu,
    others,
    megabytes: residentMegabytes(lab.operator.pid).all,
    peakMegabytes,
    healthP99Ms: p99Ms,
    writes: kubernetes.writes,
    looks: own.looks - before.own.looks,
    reads: own.reads - before.own.reads,
    questions,
    acme: acme.requests,
    dns: Object.values(dns).reduce((sum, count) => sum + count, 0),
    ...rest,
  };
  steps.say(`    ${JSON.stringify({ ...found, median: readyAt[Math.floor(readyAt.length / 2)] })}`);
  await lab.stop();
  return found;
}

try {
  const out = join(labDir(), 'bundle');
  await bundle(out, undefined, profile === undefined);
  const all: Found[] = [];
  for (const size of sizes) all.push(await measure(size, join(out, 'main.js')));
  writeFileSync(file, JSON.stringify([...all.flatMap((found) => rowsOf(found, idleSeconds)), ...growth(all)]));
} catch (error) {
  process.stderr.write(`bench failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
// Whatever a failed step left running ends with the namespaces.
process.exit();
