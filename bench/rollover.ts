/**
 * Many exchangers whose keys are all replaced at once: how late the operator's main loop is meanwhile, how long until
 * all hosts have the next key and the old one's TLSA record is gone, and what it costs, beside the same certificates and
 * DNS changes driven raw.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { conditionOf } from '../src/api/conditions.ts';
import type { MailExchanger } from '../src/api/types.ts';
import { tlsaName } from '../src/dane/tlsa.ts';
import { bundle } from '../test/lab/bundle.ts';
import { startCounting } from '../test/lab/counts.ts';
import { operatorUser } from '../test/lab/demo/install.ts';
import { createSteps } from '../test/lab/demo/steps.ts';
import type { ZoneSpec } from '../test/lab/dns-zone.ts';
import { places } from '../test/lab/lab.ts';
import { labDir } from '../test/lab/namespace.ts';
import { waitFor } from '../test/lab/process.ts';
import { atMost } from './converge-floor.ts';
import { askLoopDelay } from './loop-delay.ts';
import { namespace } from './operator-part.ts';
import { ownCounts, settled, watchHealth } from './operator-watch.ts';
import { cpuSeconds } from './proc.ts';
import { compared, type Row, row } from './report.ts';
import { floorKeys, type PlacedHost, runRolloverFloor } from './rollover-floor.ts';
import { type RolloverLab, startRolloverLab } from './rollover-lab.ts';

const { values: flags, positionals } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    /** Numbers of exchangers other than the one that the aim speaks of. */
    size: { type: 'string', multiple: true, default: [] },
    /** Where the operator leaves a profile of its processor time. */
    profile: { type: 'string' },
  },
  allowPositionals: true,
});
const [file = ''] = positionals;
const asked = flags.size.map(Number);
const sizes = asked.length > 0 ? asked : flags.quick ? [100] : [1000];
const ttlSeconds = 5;
/** Twice the TTL. */
const gateMs = 2 * ttlSeconds * 1000;
const mostZones = 20;
const patienceMs = 30 * 60 * 1000;
const steps = createSteps((text) => void process.stderr.write(text));

const placed = (letter: 'm' | 'f', size: number): readonly PlacedHost[] =>
  Array.from({ length: size }, (_, index) => {
    const zone = `z${index % mostZones}.test`;
    return { host: `${letter}${index}.${zone}`, zone };
  });

function zonesFor(hosts: readonly PlacedHost[], floors: readonly PlacedHost[]): readonly ZoneSpec[] {
  const byZone = Map.groupBy([...hosts, ...floors], ({ zone }) => zone);
  const standing = ({ host }: PlacedHost): readonly string[] =>
    host.startsWith('f') ? floorKeys.map((value) => `${tlsaName(host, 25)}. TLSA ${value}`) : [];
  return [...byZone].map(([name, those]) => ({
    name,
    records: those.flatMap((one) => [`${one.host}. A ${places.mx1}`, ...standing(one)]).join('\n'),
  }));
}

const manifest = ({ host }: PlacedHost): MailExchanger => ({
  apiVersion: 'mailseal.dev/v1alpha1',
  kind: 'MailExchanger',
  metadata: { name: host, namespace },
  spec: { hosts: [host], certificate: { keyRotationDays: 0 }, dane: { ttlSeconds } },
});

/** Resolves when all hosts fit; says how many do, a tenth at a time. */
async function all(hosts: readonly PlacedHost[], what: string, fits: (host: string) => boolean): Promise<void> {
  const started = performance.now();
  let said = 0;
  const look = (): boolean => {
    const count = hosts.filter(({ host }) => fits(host)).length;
    const tenth = Math.floor((count / hosts.length) * 10);
    if (tenth > said) steps.say(`    ${count} ${what} after ${((performance.now() - started) / 1000).toFixed(1)} s`);
    said = tenth;
    return count === hosts.length;
  };
  await waitFor(`${hosts.length} exchangers ${what}`, look, { timeoutMs: patienceMs, everyMs: 250 });
}

async function createAll({ kube, exchangers, keys }: RolloverLab, hosts: readonly PlacedHost[]): Promise<void> {
  await atMost(32, hosts, async (one) => void (await kube.create(manifest(one))));
  const ready = (host: string): boolean =>
    keys.get(host)?.phase === 'Steady' &&
    conditionOf(exchangers.get(host)?.status?.conditions, 'Ready')?.status === 'True';
  try {
    await all(hosts, 'Ready', ready);
  } catch (error) {
    for (const { host } of hosts.filter((one) => !ready(one.host)).slice(0, 10))
      steps.say(`    ${host}: ${JSON.stringify(exchangers.get(host)?.status)}`);
    throw error;
  }
}

/** Asks for the next key of all; resolves when all have it alone. */
async function rotateAll({ kube, keys, exchangers }: RolloverLab, hosts: readonly PlacedHost[]): Promise<number> {
  const wanted = new Map(hosts.map(({ host }) => [host, keys.get(host)?.next]));
  const wish = { 'mailseal.dev/rotate-now': new Date().toISOString() };
  const started = performance.now();
  await atMost(32, hosts, async ({ host: name }) => {
    await kube.annotate({ apiVersion: 'mailseal.dev/v1alpha1', kind: 'MailExchanger', namespace, name }, wish);
  });
  steps.say(`    all asked for after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const rotated = (host: string): boolean => {
    const now = keys.get(host);
    return now?.phase === 'Steady' && now.current === wanted.get(host);
  };
  try {
    await all(hosts, 'rotated', rotated);
  } catch (error) {
    for (const { host } of hosts.filter((one) => !rotated(one.host)).slice(0, 10))
      steps.say(`    ${host}: ${JSON.stringify({ ...keys.get(host), status: exchangers.get(host)?.status })}`);
    throw error;
  }
  return (performance.now() - started) / 1000;
}

async function measure(size: number, program: string): Promise<readonly Row[]> {
  const [hosts, floors] = [placed('m', size), placed('f', size)];
  const zones = zonesFor(hosts, floors);
  const dir = join(labDir(), `n${size}`);
  const lab = await steps.run(`${size}: a lab`, () => startRolloverLab(dir, program, zones, flags.profile));
  const floor = await steps.run(`${size}: the floor`, () => runRolloverFloor(lab, floors, { atOnce: 64, gateMs }));
  steps.say(`    floor: ${JSON.stringify(floor)}`);
  await askLoopDelay();
  await steps.run(`${size}: exchangers`, () => createAll(lab, hosts));
  const issued = await askLoopDelay();
  // Longer than the gate: the next key may be given to all at once.
  await steps.run(`${size}: settling`, () => settled(lab, gateMs + 5_000));
  const auditLog = lab.controlPlane.auditLogPath;
  const counted = startCounting({ ...lab, auditLog, user: operatorUser, zones: zones.map(({ name }) => name) });
  const before = {
    cpu: cpuSeconds(lab.operator.pid),
    questions: lab.bind.queries().length,
    own: await ownCounts(lab, 'exchanger'),
  };
  const health = watchHealth(lab);
  await askLoopDelay();
  const seconds = await steps.run(`${size}: rotation`, () => rotateAll(lab, hosts));
  const delay = await askLoopDelay();
  const cpu = cpuSeconds(lab.operator.pid) - before.cpu;
  const own = await ownCounts(lab, 'exchanger');
  const questions = lab.bind.queries().length - before.questions;
  const { p99Ms, peakMegabytes } = health();
  const { kubernetes, acme, dns } = counted();
  const updates = Object.values(dns).reduce((sum, count) => sum + count, 0);
  const found = { seconds, cpu, delay, issued, questions, p99Ms, peakMegabytes, kubernetes, acme, updates };
  steps.say(`    ${JSON.stringify(found)}`);
  await lab.stop();
  const each = (count: number): number => count / size;
  return [
    row(`${size}: delay of the operator's main loop, p99`, delay.p99Ms, 'ms', 50),
    row(`${size}: delay of the operator's main loop, at most`, delay.maxMs, 'ms', null),
    row(`${size}: the same while all were issued for first, p99`, issued.p99Ms, 'ms', null),
    row(`${size}: /healthz answered meanwhile, p99`, p99Ms, 'ms', null),
    compared(`${size}: all rotated`, seconds, floor.seconds, 's', null),
    row(`${size}: processor time a rotation`, each(cpu) * 1000, 'ms', null, each(floor.cpuSeconds) * 1000),
    row(`${size}: resident at most`, peakMegabytes, 'MB', null),
    row(`${size}: ACME requests a rotation`, each(acme.requests), 'requests', 8, each(floor.acmeRequests)),
    row(`${size}: Kubernetes writes a rotation`, each(kubernetes.writes), 'writes', null),
    row(`${size}: Kubernetes reads a rotation`, each(own.reads - before.own.reads), 'reads', null),
    row(`${size}: looks a rotation`, each(own.looks - before.own.looks), 'looks', null),
    row(`${size}: DNS updates a rotation`, each(updates), 'messages', null, each(floor.dnsUpdates)),
    row(`${size}: questions at the primary name server a rotation`, each(questions), 'questions', null),
  ];
}

try {
  const out = join(labDir(), 'bundle');
  await bundle(out, undefined, flags.profile === undefined);
  const rows: Row[] = [];
  for (const size of sizes) rows.push(...(await measure(size, join(out, 'main.js'))));
  writeFileSync(file, JSON.stringify(rows));
} catch (error) {
  process.stderr.write(`bench failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
// Whatever a failed step left running ends with the namespaces.
process.exit();
