/** What all lanes of a campaign share: name servers, resolvers and a CA. Each lane has a zone with a domain for each run. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../lab/bundle.ts';
import { startAcme, startDns } from '../lab/lab.ts';
import type { ZoneSpec } from '../lab/dns-zone.ts';
import { createCa } from '../lab/mail-ca.ts';
import type { Ground } from './lane.ts';
import { secondOf } from './objects.ts';
import { mxAddress, nameServersOf, resolverName } from './ways.ts';

const zoneOf = (lane: number): string => `lane${lane}.test`;

export const domainOf = (lane: number, run: number): string => `r${run}.${zoneOf(lane)}`;

/**
 * Each domain has its MX record and its host, and a second name of that host, before its run begins; and beside it there
 * is another domain with the same host.
 */
function recordsOf(lane: number, run: number): string {
  const domain = domainOf(lane, run);
  const [label = '', second = ''] = [domain, secondOf(domain)].map((name) => name.slice(0, name.indexOf('.')));
  const address = mxAddress(lane);
  const mail = [label, second].map((name) => `${name} MX 10 mx.${label}`);
  return [...mail, `mx.${label} A ${address}`, `smtp.${label} A ${address}`].join('\n');
}

/** The zone of a lane, whose NS records lead to the lane's own places on the way to the name servers. */
const laneZone = (lane: number, runs: number): ZoneSpec => ({
  name: zoneOf(lane),
  ttl: 1,
  negativeTtl: 1,
  servers: nameServersOf(lane).map(({ name }) => name),
  records: Array.from({ length: runs }, (_, run) => recordsOf(lane, run)).join('\n'),
});

/** Where those places are. */
const placesZone = (lanes: number): ZoneSpec => ({
  name: 'places.test',
  records: Array.from({ length: lanes }, (_, lane) => nameServersOf(lane))
    .flat()
    .map(({ name, address }) => `${name}. A ${address}`)
    .join('\n'),
});

export async function startGround(
  dir: string,
  size: {
    readonly lanes: number;
    readonly runs: number;
    /** Of the certificates of each profile; as Pebble has it when absent. */
    readonly validitySeconds?: Readonly<Record<string, number>>;
  },
): Promise<Ground & { readonly stop: () => Promise<void> }> {
  const zones = Array.from({ length: size.lanes }, (_, lane) => laneZone(lane, size.runs));
  const program = join(dir, 'program');
  const [dns] = await Promise.all([startDns(dir, [placesZone(size.lanes), ...zones]), bundle(program)]);
  const pebble = await startAcme(dir, {
    keyAlgorithm: 'rsa',
    ...(size.validitySeconds === undefined ? {} : { validitySeconds: size.validitySeconds }),
  });
  const rootsFile = join(dir, 'roots.pem');
  writeFileSync(rootsFile, await pebble.rootPem());
  const doorCa = await createCa(join(dir, 'doors'), 'CA of the doors');
  const certificate = await doorCa.issue({
    path: join(dir, 'doors', 'door'),
    names: [resolverName],
    addresses: ['127.0.0.1'],
  });
  return {
    dir,
    program: join(program, 'main.js'),
    rootsFile,
    acme: pebble,
    dns,
    forget: dns.views.flush,
    door: { certificate, caFile: doorCa.caFile },
    stop: async () => {
      await pebble.stop();
      await dns.stop();
    },
  };
}
