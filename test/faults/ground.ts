/** What all lanes of a campaign share: name servers, resolvers, a CA, and a zone with a domain for each run. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../lab/bundle.ts';
import { startAcme, startDns } from '../lab/lab.ts';
import { createCa } from '../lab/mail-ca.ts';
import { type Ground, mxAddress } from './lane.ts';

const zone = 'kill.test';

export const domainOf = (lane: number, run: number): string => `l${lane}r${run}.${zone}`;

/** Each domain has its MX record and its host, and a second name of that host, before its run begins. */
function recordsOf(lane: number, run: number): string {
  const label = `l${lane}r${run}`;
  const address = mxAddress(lane);
  return `${label} MX 10 mx.${label}\nmx.${label} A ${address}\nsmtp.${label} A ${address}`;
}

export async function startGround(
  dir: string,
  size: { readonly lanes: number; readonly runs: number },
): Promise<Ground & { readonly stop: () => Promise<void> }> {
  const records = Array.from({ length: size.lanes }, (_, lane) =>
    Array.from({ length: size.runs }, (_, run) => recordsOf(lane, run)),
  );
  const program = join(dir, 'program');
  const [dns] = await Promise.all([
    startDns(dir, [{ name: zone, ttl: 1, negativeTtl: 1, records: records.flat().join('\n') }]),
    bundle(program),
  ]);
  const pebble = await startAcme(dir);
  const rootsFile = join(dir, 'roots.pem');
  writeFileSync(rootsFile, await pebble.rootPem());
  const resolverCa = join(dir, 'resolver-ca.pem');
  writeFileSync(resolverCa, dns.views.outsideCa);
  const doorCa = await createCa(join(dir, 'doors'), 'CA of the doors');
  const certificate = await doorCa.issue({ path: join(dir, 'doors', 'door'), names: [], addresses: ['127.0.0.1'] });
  return {
    dir,
    program: join(program, 'main.js'),
    rootsFile,
    acme: pebble,
    resolver: { url: dns.views.outsideUrl, caFile: resolverCa },
    tsig: dns.bind.tsig,
    door: { certificate, caFile: doorCa.caFile },
    stop: async () => {
      await pebble.stop();
      await dns.stop();
    },
  };
}
