/** A PowerDNS Authoritative Server on SQLite with its HTTP API. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ask } from './dns-ask.ts';
import { type ZoneSpec, zoneText } from './dns-zone.ts';
import { startProcess, waitFor } from './process.ts';

export interface PowerdnsSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  /** That an interface carries: the DNS is on port 53, the API on port 8081. */
  readonly address: string;
  /** All stand alone, and whether one is signed is what is read of `security`. */
  readonly zones: readonly PowerdnsZone[];
}

export interface PowerdnsZone extends ZoneSpec {
  /** `Native` when absent. */
  readonly kind?: 'Native' | 'Master' | 'Slave';
  /** How a change through the API raises the serial: `DEFAULT` when absent, as for zones that the API makes. */
  readonly soaEditApi?: string;
}

export interface Powerdns {
  /** Where its API answers. */
  readonly url: string;
  readonly apiKey: string;
  /** A call of the API by hand, below `/api/v1/servers/localhost`; rejects where it is refused. */
  readonly call: (method: string, path: string, body?: object) => Promise<string>;
  /** Takes a zone away with all that it held, or makes it anew; resolves when that shows. */
  readonly holds: (zone: string, does: boolean) => Promise<void>;
  /** The serial that it shows at this moment. */
  readonly serial: (zone: string) => Promise<number>;
  readonly stop: () => Promise<void>;
}

const schema = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';

/** Resolves when it answers for every zone. */
export async function startPowerdns({ dir, address, zones }: PowerdnsSpec): Promise<Powerdns> {
  mkdirSync(dir, { recursive: true });
  const database = new DatabaseSync(join(dir, 'pdns.db'));
  database.exec(readFileSync(schema, 'utf8'));
  database.close();
  const apiKey = randomBytes(16).toString('hex');
  writeFileSync(join(dir, 'pdns.conf'), pdnsConf(dir, address, apiKey), { mode: 0o600 });
  const argv = ['pdns_server', `--config-dir=${dir}`, '--daemon=no', '--guardian=no', '--disable-syslog'] as const;
  const part = startProcess({ name: 'pdns_server', argv, log: join(dir, 'pdns.log') });
  const url = `http://${address}:8081`;
  const call: Powerdns['call'] = async (method, path, body) => {
    const answer = await fetch(`${url}/api/v1/servers/localhost${path}`, {
      method,
      headers: { 'x-api-key': apiKey },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} ended with ${answer.status}: ${text}`);
    return text;
  };
  const serial = async (zone: string): Promise<number> => {
    const soa = (await ask({ server: address, name: zone, type: 'SOA' })).answers.find(({ type }) => type === 'SOA');
    if (soa?.type !== 'SOA' || soa.data.serial === undefined) throw new Error(`${address} shows no SOA for ${zone}`);
    return soa.data.serial;
  };
  try {
    await waitFor("PowerDNS' API answers", () => call('GET', '/zones'), { everyMs: 50, part });
    for (const zone of zones) await call('POST', '/zones?rrsets=false', zoneBody(zone));
    for (const { name, kind } of zones) {
      if (kind !== 'Slave') await waitFor(`PowerDNS serves ${name}`, () => serial(name), { everyMs: 50, part });
    }
  } catch (error) {
    await part.stop();
    throw error;
  }
  const holds: Powerdns['holds'] = async (name, does) => {
    const zone = zones.find((one) => one.name === name);
    if (zone === undefined) throw new Error(`there never was a zone ${name}`);
    if (does) await call('POST', '/zones?rrsets=false', zoneBody(zone));
    else await call('DELETE', `/zones/${name}.`);
    const isServed = async (): Promise<boolean> =>
      (await ask({ server: address, name, type: 'SOA' })).answers.length > 0;
    await waitFor(`PowerDNS holds ${name}: ${does}`, async () => (await isServed()) === does, { everyMs: 50, part });
  };
  return { url, apiKey, call, holds, serial, stop: () => part.stop() };
}

function zoneBody(zone: PowerdnsZone): object {
  const { name, kind = 'Native', soaEditApi = 'DEFAULT', security = 'secure' } = zone;
  const common = { name: `${name}.`, kind, soa_edit_api: soaEditApi };
  if (kind === 'Slave') return { ...common, masters: ['192.0.2.1'] };
  return { ...common, dnssec: security !== 'insecure', zone: zoneText(zone, [], []) };
}

/** What an administrator sets, and else as it is delivered. */
function pdnsConf(dir: string, address: string, apiKey: string): string {
  return `launch=gsqlite3
gsqlite3-database=${join(dir, 'pdns.db')}
gsqlite3-dnssec=yes
socket-dir=${dir}
local-address=${address}
primary=yes
secondary=yes
webserver=yes
webserver-address=${address}
webserver-allow-from=0.0.0.0/0
api=yes
api-key=${apiKey}
`;
}
