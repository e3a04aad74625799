/** What all lanes of a campaign share: name servers, resolvers, a CA, and a zone with a domain for each run. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../lab/bundle.ts';
import { startAcme, startDns } from '../lab/lab.ts';
import { createCa } from '../lab/mail-ca.ts';
import { type Ground, mxAddress } from './lane.ts';
import { secondOf } from './objects.ts';

const zone = 'kill.test';

export const domainOf = (lane: number, run: number): string => `l${lane}r${run}.${zone}`;

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
  const pebble = await startAcme(dir, { keyAlgorithm: 'rsa' });
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
    forget: async (name) => {
      await Promise.all([dns.views.inside, dns.views.outside].map((view) => view.flush(name)));
    },
    tsig: dns.bind.tsig,
    door: { certificate, caFile: doorCa.caFile },
    stop: async () => {
      await pebble.stop();
      await dns.stop();
    },
  };
}
