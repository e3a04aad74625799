/** Knot DNS: a second server that takes dynamic updates, with ways of its own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './dns-ask.ts';
import type { TsigKey } from './dns-conf.ts';
import { newKey } from './dns-layout.ts';
import { type Nsupdate, nsupdate, tsigKeyFile } from './dns-update.ts';
import { type ZoneSpec, zoneText } from './dns-zone.ts';
import { startProcess, waitFor } from './process.ts';

export interface KnotSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  /** That an interface carries; port 53 is used. */
  readonly address: string;
  /** All stand alone, and whether one is signed is what is read of `security`. */
  readonly zones: readonly ZoneSpec[];
}

export interface Knot {
  /** The product's key: it may update every zone. */
  readonly tsig: TsigKey;
  /** Sends lines of nsupdate as one message; rejects with what nsupdate said. */
  readonly dynamicUpdate: Nsupdate;
  /** Takes a zone out of its configuration, or gives it back with all that it held; resolves when that shows. */
  readonly holds: (zone: string, does: boolean) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Resolves when it answers for every zone. */
export async function startKnot({ dir, address, zones }: KnotSpec): Promise<Knot> {
  for (const folder of ['zones', 'db']) mkdirSync(join(dir, folder), { recursive: true });
  const keys = { tsig: newKey('mailseal'), admin: newKey('lab-admin') };
  for (const zone of zones) writeFileSync(join(dir, 'zones', `${zone.name}.zone`), zoneText(zone, [], []));
  const conf = join(dir, 'knot.conf');
  writeFileSync(conf, knotConf({ dir, address, zones }, Object.values(keys)), { mode: 0o600 });
  const part = startProcess({ name: 'knotd', argv: ['knotd', '-c', conf], log: join(dir, 'knot.log') });
  try {
    for (const { name } of zones) {
      const isServed = async (): Promise<boolean> =>
        (await ask({ server: address, name, type: 'SOA' })).answers.some(({ type }) => type === 'SOA');
      await waitFor(`knotd serves ${name}`, isServed, { everyMs: 50, part });
    }
  } catch (error) {
    await part.stop();
    throw error;
  }
  const holds: Knot['holds'] = async (zone, does) => {
    const held = does ? zones : zones.filter(({ name }) => name !== zone);
    writeFileSync(conf, knotConf({ dir, address, zones: held }, Object.values(keys)), { mode: 0o600 });
    part.signal('SIGHUP');
    const isServed = async (): Promise<boolean> =>
      (await ask({ server: address, name: zone, type: 'SOA' })).answers.length > 0;
    await waitFor(`knotd holds ${zone}: ${does}`, async () => (await isServed()) === does, { everyMs: 20, part });
  };
  const files = { admin: tsigKeyFile(dir, keys.admin), tsig: tsigKeyFile(dir, keys.tsig) };
  return { tsig: keys.tsig, dynamicUpdate: nsupdate(address, files), holds, stop: () => part.stop() };
}

function knotConf({ dir, address, zones }: KnotSpec, keys: readonly TsigKey[]): string {
  return `server:
  listen: ${address}@53
  rundir: ${dir}
database:
  storage: ${join(dir, 'db')}
log:
- target: stderr
  any: info
key:
${keys.map(({ name, algorithm, secret }) => `- id: ${name}\n  algorithm: ${algorithm}\n  secret: ${secret}\n`).join('')}
acl:
- id: updates
  key: [${keys.map(({ name }) => name).join(', ')}]
  action: update
template:
- id: default
  storage: ${join(dir, 'zones')}
  file: "%s.zone"
  zonefile-sync: -1
  acl: updates
zone:
${zones.map(({ name, security }) => `- domain: ${name}\n  dnssec-signing: ${security === 'insecure' ? 'off' : 'on'}\n`).join('')}`;
}
