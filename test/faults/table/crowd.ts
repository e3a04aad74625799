/** Many domains that fail for ever, each in its own way, beside one that is well. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { conditionOf } from '../../../src/api/conditions.ts';
import { apiVersion, type MailDomain } from '../../../src/api/types.ts';
import type { KubeObject } from '../../../src/kube/types.ts';
import { run } from '../../lab/command.ts';
import { places } from '../../lab/lab.ts';
import { addAddress } from '../../lab/namespace.ts';
import { waitFor } from '../../lab/process.ts';
import { tenant } from '../cluster.ts';
import type { Fault, Stage } from './fault.ts';

const crowdSize = 60;
/** Milliseconds that the crowd may cost a domain that is well. */
const mostDelayMs = 5000;
const crowdMs = 20_000;

interface Pit {
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** Takes every connection, and never says anything. */
async function startPit(address: string, port: number): Promise<Pit> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => socket.destroy()).once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

type Spec = MailDomain['spec'];

/** Five ways to fail for ever: in the end nobody takes mail, or no name, no zone, no provider, no CA is there. */
function failing(index: number, zone: string): Spec {
  const domain = [
    `pit${index}.${zone}`,
    `absent${index}.${zone}`,
    `foreign${index}.invalid`,
    `silent${index}.silent.test`,
  ][index % 5];
  const name = domain ?? `unsigned${index}.${zone}`;
  const certificate = domain === undefined ? { certificate: { issuerRef: { name: 'silent' } } } : {};
  return { domain: name, mx: { hosts: [`mx.${name}`], ...certificate } };
}

/** MX records that lead to `address`, for the domains of the crowd that are to have some. */
async function publishPits({ ground }: Stage, zone: string, address: string): Promise<void> {
  const lines = Array.from({ length: crowdSize }, (_, index) => failing(index, zone).domain)
    .filter((domain) => domain.startsWith('pit'))
    .flatMap((domain) => [`update add ${domain}. 5 MX 10 mx.${domain}.`, `update add mx.${domain}. 5 A ${address}`]);
  const { name, secret } = ground.dns.bind.tsig;
  const input = `server ${places.primary.v4}\nzone ${zone}.\n${lines.join('\n')}\nsend\n`;
  await run(['nsupdate', '-y', `hmac-sha256:${name}:${secret}`], { input });
}

const metadata = (name: string): MailDomain['metadata'] => ({ name, namespace: tenant });
const at = { apiVersion, kind: 'MailDomain' } as const;

async function applyCrowd({ lane }: Stage, zone: string, silent: string): Promise<void> {
  const apply = (object: KubeObject & { readonly spec: object }): Promise<unknown> =>
    lane.kube.apply(object, { fieldManager: 'faults' });
  const rfc2136 = { server: silent, tsigKeyName: 'nobody' };
  const grants = { allowedNamespaces: { names: [tenant] }, credentialsSecretRef: { name: 'dns-update-key' } };
  await apply({
    apiVersion,
    kind: 'DNSProvider',
    metadata: { name: 'silent' },
    spec: { zones: ['silent.test'], rfc2136, ...grants },
  });
  const acme = { server: `https://${silent}/dir` };
  await apply({ apiVersion, kind: 'CertificateIssuer', metadata: { name: 'silent' }, spec: { acme } });
  for (let index = 0; index < crowdSize; index += 1) {
    await apply({ ...at, metadata: metadata(`bad-${index}`), spec: failing(index, zone) });
  }
}

/** Milliseconds from its apply until a domain is Ready that nothing is wrong with; then it goes, and leaves all standing. */
async function timeOf({ lane }: Stage, name: string, domain: string): Promise<number> {
  const began = performance.now();
  const mtaSts = { ttlSeconds: 1, promotion: { immediately: true } };
  const mx = { hosts: [`mx.${domain}`], dane: { ttlSeconds: 1 } };
  const object: MailDomain = {
    ...at,
    metadata: metadata(name),
    spec: { domain, mx, mtaSts, deletionPolicy: 'Orphan' },
  };
  await lane.kube.apply(object, { fieldManager: 'faults' });
  const ready = async (): Promise<boolean> => {
    const { status } = (await lane.kube.get<MailDomain>({ ...at, ...metadata(name) })) ?? {};
    return conditionOf(status?.conditions, 'Ready')?.status === 'True';
  };
  await waitFor(`${domain} is Ready`, ready, { timeoutMs: 120_000, everyMs: 50 });
  const taken = performance.now() - began;
  for (const kind of ['MailDomain', 'MailExchanger']) {
    await lane.kube.remove({ apiVersion, kind, ...metadata(name) });
  }
  return taken;
}

async function timesOf(stage: Stage, name: string, count: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < count; turn += 1) times.push(await timeOf(stage, `${name}-${turn}`, stage.another()));
  return times;
}

const middle = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN;

async function play(stage: Stage): Promise<readonly string[]> {
  const { lane, domain } = stage;
  const zone = domain.slice(domain.indexOf('.') + 1);
  const mxAddress = (lane.policyServers[0] ?? '').replace(/\d+$/u, '99');
  await addAddress(mxAddress);
  const [mx, silent] = await Promise.all([startPit(mxAddress, 25), startPit('127.0.0.1', 0)]);
  try {
    await publishPits(stage, zone, mxAddress);
    const problems = [...(await stage.converge('new-domain'))];
    const alone = await timesOf(stage, 'alone', 3);
    await applyCrowd(stage, zone, `127.0.0.1:${silent.port}`);
    await pause(crowdMs);
    const beside = await timesOf(stage, 'beside', 3);
    const delay = middle(beside) - middle(alone);
    const said = `alone ${alone.map(Math.round).join(', ')} ms; beside the others ${beside.map(Math.round).join(', ')} ms`;
    return delay < mostDelayMs ? problems : [...problems, `it is Ready ${Math.round(delay)} ms later: ${said}`];
  } finally {
    await Promise.all([mx, silent].map((pit) => pit.stop()));
  }
}

export const crowdFaults: readonly Fault[] = [
  {
    name: 'crowd-that-fails',
    excuses: {
      I1: "the lane's one MX host shows the key of the domain that came last",
      I14: "the lane's one MX host shows the certificate of the domain that came last",
    },
    fault: '60 domains fail for ever: MX silent, name absent, zone not granted, provider silent, CA silent',
    holds: 'a domain that is well is Ready less than 5 s later than without them',
    play,
  },
];
