/**
 * A thousand certificates of one name, so many at a time, from one Pebble that believes every proof: requests, seconds and
 * processor time of our client, with new keys; of lego, where this machine has it, at its default; and of six
 * requests signed by hand with keys and certificate requests that were made before.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Agent } from 'undici';
import { createAcme, type Acme } from '../src/apply/acme.ts';
import { createKey, createRequest, newAccountKey } from '../src/apply/acme-keys.ts';
import { checkCertificate } from '../src/pki/certificate.ts';
import { run } from '../test/lab/command.ts';
import { createSteps } from '../test/lab/demo/steps.ts';
import { addAddress, labDir } from '../test/lab/namespace.ts';
import { type Pebble, startPebble } from '../test/lab/pebble.ts';
import { waitFor } from '../test/lab/process.ts';
import { toolPath } from '../test/lab/tools.ts';
import { createFloorClient } from './acme-floor.ts';
import { atMost } from './converge-floor.ts';
import { compared, type Row, row } from './report.ts';

const [file = '', ...flags] = process.argv.slice(2);
const quick = flags.includes('--quick');
const many = quick ? 100 : 1000;
const atOnce = 16;
const address = '10.53.0.5';
const steps = createSteps((text) => void process.stderr.write(text));

interface Cost {
  readonly seconds: number;
  readonly requests: number;
  readonly cpuSeconds: number;
  readonly delayMs: number;
}

const namesOf = (label: string): readonly string[] => Array.from({ length: many }, (_, at) => `mx.${label}${at}.test`);

/** What the work takes, of the CA and of this process. */
async function costOf(pebble: Pebble, work: () => Promise<void>): Promise<Cost> {
  const before = pebble.requests().length;
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work();
  delay.disable();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const requests = pebble.requests().length - before;
  return { seconds, requests, cpuSeconds: (user + system) / 1e6, delayMs: delay.percentile(99) / 1e6 };
}

async function issue(acme: Acme, name: string): Promise<void> {
  const key = await createKey();
  const order = await acme.newOrder([name]);
  await acme.answer(order);
  const settled = (from: string) =>
    waitFor(
      `the order for ${name} to go on`,
      async () => {
        const { status } = await acme.poll(order);
        return status === from || status === 'processing' ? undefined : status;
      },
      { everyMs: 100 },
    );
  await settled('pending');
  if ((await acme.finalize(order, key, [name])).status !== 'valid') await settled('ready');
  const { chain } = await acme.certificate(order);
  const problems = checkCertificate({ chain, key, names: [name], now: Date.now() });
  if (problems.length > 0) throw new Error(`${name}: ${problems.map(({ message }) => message).join('; ')}`);
}

async function ours(pebble: Pebble): Promise<Cost> {
  const caBundle = readFileSync(pebble.caFile, 'utf8');
  const acme = createAcme({ directoryUrl: pebble.directoryUrl, caBundle, accountKeyPem: newAccountKey() });
  await acme.register({});
  const cost = await costOf(pebble, () => atMost(atOnce, namesOf('ours'), (name) => issue(acme, name)));
  await acme.close();
  return cost;
}

async function floor(pebble: Pebble): Promise<Cost> {
  const agent = new Agent({ connect: { ca: readFileSync(pebble.caFile, 'utf8') }, connections: atOnce });
  const client = await createFloorClient(pebble.directoryUrl, agent);
  const key = await createKey();
  const wishes = await Promise.all(
    namesOf('floor').map(async (name) => [name, (await createRequest([name], key)).toString('base64url')] as const),
  );
  const cost = await costOf(pebble, () =>
    atMost(atOnce, wishes, async ([name, csr]) => void (await client.issue([name], csr))),
  );
  await agent.destroy();
  return cost;
}

/** The Debian package lego, a process a certificate; the first makes the account. */
async function lego(pebble: Pebble, program: string): Promise<Cost> {
  const path = join(labDir(), 'lego');
  const env = { LEGO_CA_CERTIFICATES: pebble.caFile };
  // By files, for the lab has no DNS here, and lego would wait for that.
  const proof = ['--http', '--http.webroot', path];
  const where = ['--server', pebble.directoryUrl, '--path', path, '--email', 'me@example.test', '--accept-tos'];
  const one = async (name: string): Promise<void> => {
    await run([program, ...where, ...proof, '--domains', name, 'run'], { env });
  };
  await one('mx.account.test');
  return costOf(pebble, () => atMost(atOnce, namesOf('lego'), one));
}

const programOf = (name: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));

function rowsOf(own: Cost, least: Cost, peer: Cost | undefined): readonly Row[] {
  const each = ({ requests }: Cost): number => requests / many;
  const millis = ({ cpuSeconds }: Cost): number => (cpuSeconds / many) * 1000;
  const about = `${many} certificates, ${atOnce} at a time`;
  const beside =
    peer === undefined
      ? [row('seconds, beside lego (not installed here)', own.seconds, 's', null)]
      : [
          compared('requests a certificate, beside lego', each(own), each(peer), 'requests', 1),
          compared(`${about}: seconds, beside lego`, own.seconds, peer.seconds, 's', 1),
        ];
  return [
    row('requests a certificate of one name, nonce included', each(own), 'requests', 8, each(least)),
    ...beside,
    compared(`${about}: seconds, beside six requests signed by hand`, own.seconds, least.seconds, 's', null),
    compared('processor time a certificate, beside the same', millis(own), millis(least), 'ms', null),
    row('delay of the main loop meanwhile (p99)', own.delayMs, 'ms', 50, least.delayMs),
  ];
}

async function main(): Promise<void> {
  await addAddress(address);
  const spec = { binary: toolPath('pebble'), address, dnsServer: address, alwaysValid: true };
  const pebble = await startPebble({ ...spec, dir: join(labDir(), 'pebble') });
  // Warm: code is compiled, connections are open.
  const least = await steps.run('the least that ACME takes', () => floor(pebble));
  const own = await steps.run('our client', () => ours(pebble));
  const program = programOf('lego');
  const peer = program === undefined ? undefined : await steps.run('lego', () => lego(pebble, program));
  writeFileSync(file, JSON.stringify(rowsOf(own, least, peer)));
  await pebble.stop();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
// Whatever a failed step left running ends with the namespaces.
process.exit();
