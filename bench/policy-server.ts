/**
 * The policy server beside nginx and beside the least that Node can do, in one interleaved run: processor time for each
 * connection of a sender that was never here before. Then its memory and its start with five thousand hosts.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import { issueSelfSigned } from '../src/apply/selfsigned.ts';
import { type HostEntry, revisionOf, shardOf } from '../src/policyshard/shard.ts';
import { bundle } from '../test/lab/bundle.ts';
import { createSteps } from '../test/lab/demo/steps.ts';
import { leanEnv, leanFlags } from '../test/lab/image.ts';
import { labDir } from '../test/lab/namespace.ts';
import { freePorts } from '../test/lab/ports.ts';
import { type Running, startProcess, waitFor } from '../test/lab/process.ts';
import { mountShard } from '../test/server/volume.ts';
import { ageSeconds, cpuSeconds, residentMegabytes } from './proc.ts';
import { compared, median, type Row, row } from './report.ts';

const [file = '', ...flags] = process.argv.slice(2);
const quick = flags.includes('--quick');
const rounds = quick ? 4 : 10;
const connectionsARound = quick ? 500 : 1500;
const atOnce = 16;
const manyHosts = quick ? 1000 : 5000;
const shards = 8;
const address = '127.0.0.1';
const path = '/.well-known/mta-sts.txt';
const policy = 'version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 604800\r\n';
const steps = createSteps((text) => void process.stderr.write(text));
const dir = labDir();

/** One of the servers that are measured; `pid` is the process that does the work. */
interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
}

async function entry(host: string): Promise<HostEntry> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const certificate = await issueSelfSigned({ names: [host], keyPem: key, years: 1, now: Date.now() });
  return { policy, revision: revisionOf(policy, certificate), certificate, key };
}

async function entries(count: number): Promise<ReadonlyMap<string, HostEntry>> {
  const made = new Map<string, HostEntry>();
  for (let index = 0; index < count; index += 1) {
    const host = `mta-sts.d${index}.test`;
    made.set(host, await entry(host));
  }
  return made;
}

/** Our server as its container runs it, with these hosts; resolves when it is ready. */
async function startOurs(
  name: string,
  program: string,
  hosts: ReadonlyMap<string, HostEntry>,
): Promise<Contender & { readonly part: Running; readonly readySeconds: number }> {
  const folder = join(dir, name);
  for (let shard = 0; shard < shards; shard += 1) {
    const mine = [...hosts].filter(([host]) => shardOf(host.slice('mta-sts.'.length), shards) === shard);
    await mountShard(join(folder, String(shard)), Object.fromEntries(mine));
  }
  const [port = 0, status = 0] = await freePorts(address, 2);
  const where = [`--https-address=${address}:${port}`, `--http-address=${address}:${status}`];
  const part = startProcess({
    name,
    log: join(dir, `${name}.log`),
    env: leanEnv,
    argv: [process.execPath, ...leanFlags, program, 'policy-server', `--shards-dir=${folder}`, ...where],
  });
  const ready = async (): Promise<boolean> => (await fetch(`http://${address}:${status}/readyz`)).ok;
  await waitFor(`${name} is ready`, ready, { part, everyMs: 5 });
  return { name, port, pid: part.pid, part, readySeconds: ageSeconds(part.pid) };
}

async function startNginx({ certificate, key }: HostEntry): Promise<Contender & { readonly part: Running }> {
  const folder = join(dir, 'nginx');
  if (certificate === null || key === null) throw new Error('nginx needs a certificate');
  mkdirSync(join(folder, 'www/.well-known'), { recursive: true });
  writeFileSync(join(folder, 'www', path), policy);
  writeFileSync(join(folder, 'cert.pem'), certificate);
  writeFileSync(join(folder, 'key.pem'), key);
  const [port = 0] = await freePorts(address, 1);
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; default_type text/plain;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
  server {
    listen ${address}:${port} ssl; server_name mta-sts.d0.test; root ${folder}/www;
    ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem;
  }
}
`,
  );
  const part = startProcess({
    name: 'nginx',
    log: join(dir, 'nginx.log'),
    argv: ['nginx', '-p', folder, '-c', config],
  });
  await waitFor('nginx answers', () => ask(port), { part, everyMs: 20 });
  return { name: 'nginx', port, pid: part.pid, part };
}

/** No more than node:https with one certificate: what any server on Node pays. */
async function startPlain({ certificate, key }: HostEntry): Promise<Contender & { readonly part: Running }> {
  const [port = 0] = await freePorts(address, 1);
  const program = join(dir, 'plain.mjs');
  writeFileSync(
    program,
    `import { createServer } from 'node:https';
createServer(${JSON.stringify({ cert: certificate, key })}, (_, response) => response.end(${JSON.stringify(policy)})).listen(${port}, '${address}');`,
  );
  const part = startProcess({ name: 'plain', log: join(dir, 'plain.log'), argv: [process.execPath, program] });
  await waitFor('plain Node answers', () => ask(port), { part, everyMs: 20 });
  return { name: 'plain', port, pid: part.pid, part };
}

/** One connection with a full handshake and one request, as a sender that fetches a policy; true if that came back. */
function ask(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const host = 'mta-sts.d0.test';
    const socket = connect({ host: address, port, servername: host, rejectUnauthorized: false }, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.once('error', reject).once('close', () => resolve(text.includes('mode: enforce')));
  });
}

/** Microseconds of the server's processor time a connection. */
async function load({ name, port, pid }: Contender, connections: number): Promise<number> {
  const before = cpuSeconds(pid);
  let left = connections;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      if (!(await ask(port))) throw new Error(`${name} did not answer with the policy`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return ((cpuSeconds(pid) - before) / connections) * 1e6;
}

async function race(program: string): Promise<readonly Row[]> {
  const hosts = await entries(1);
  const [first] = hosts.values();
  if (first === undefined) throw new Error('there is no host');
  const all = [await startOurs('ours', program, hosts), await startNginx(first), await startPlain(first)];
  const taken = new Map<string, number[]>(all.map(({ name }) => [name, []]));
  for (const one of all) await load(one, connectionsARound);
  for (let round = 0; round < rounds; round += 1) {
    for (const one of all) taken.get(one.name)?.push(await load(one, connectionsARound));
  }
  await Promise.all(all.map(({ part }) => part.stop()));
  const of = (name: string): number => median(taken.get(name) ?? []);
  const what = 'processor time a new TLS connection';
  return [
    compared(`${what}, beside nginx`, of('ours'), of('nginx'), 'µs', 2),
    compared(`${what}, beside plain node:https`, of('ours'), of('plain'), 'µs', null),
  ];
}

async function many(program: string): Promise<readonly Row[]> {
  const ours = await startOurs('many', program, await entries(manyHosts));
  // What loading left behind is collected in its own time; a quiet pod is what is asked about.
  await pause(10_000);
  const { all } = residentMegabytes(ours.pid);
  await ours.part.stop();
  return [
    row(`${manyHosts} hosts: ready after the start`, ours.readySeconds, 's', 2),
    row(`${manyHosts} hosts: resident`, all, 'MB', 96),
  ];
}

try {
  const out = join(dir, 'bundle');
  await bundle(out);
  const program = join(out, 'main.js');
  const rows = [
    ...(await steps.run('connections, by turns', () => race(program))),
    ...(await steps.run(`${manyHosts} hosts`, () => many(program))),
  ];
  writeFileSync(file, JSON.stringify(rows));
} catch (error) {
  process.stderr.write(`bench failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
process.exit();
