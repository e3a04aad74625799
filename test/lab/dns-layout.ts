/** The files that both name servers start from: configuration, keys and zones with the right delegations. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConfSpec, namedConf, policyConf, type TsigKey } from './dns-conf.ts';
import { dsRecord, makeKey } from './dns-keys.ts';
import {
  type Addresses,
  nsLines,
  parentOf,
  type Security,
  serverLines,
  withRoot,
  wrongDs,
  type ZoneSpec,
  zoneText,
} from './dns-zone.ts';

export interface Layout extends ConfSpec {
  readonly trustAnchors: readonly string[];
  /** The DS record that makes a zone what `security` says; throws when the zone was not made with a key. */
  readonly ds: (zone: string, security: Security) => string | undefined;
}

interface LayoutSpec {
  readonly dir: string;
  readonly primary: Addresses;
  readonly secondary: Addresses;
  readonly zones: readonly ZoneSpec[];
}

export async function layOut(spec: LayoutSpec): Promise<Layout> {
  const zones = withRoot(spec.zones);
  const dirs = { primary: join(spec.dir, 'primary'), secondary: join(spec.dir, 'secondary') };
  for (const dir of [join(dirs.primary, 'keys'), dirs.secondary]) mkdirSync(dir, { recursive: true });
  const keys = { tsig: newKey('mailseal'), admin: newKey('lab-admin'), transfer: newKey('lab-transfer') };
  const conf: ConfSpec = { ...spec, zones, dirs, keys };
  writeFileSync(join(dirs.primary, 'policy.conf'), policyConf);
  for (const role of ['primary', 'secondary'] as const) {
    writeFileSync(join(dirs[role], 'named.conf'), namedConf(role, conf), { mode: 0o600 });
  }
  const dnskeys = await makeKeys(dirs.primary, zones);
  const ds = (name: string, security: Security): string | undefined => {
    if (security === 'insecure') return undefined;
    const dnskey = dnskeys.get(name);
    if (dnskey === undefined) throw new Error(`${name} has no key: start it secure or bogus`);
    return security === 'bogus' ? wrongDs(dsRecord(dnskey)) : dsRecord(dnskey);
  };
  for (const zone of zones) {
    const children = zones.filter((child) => parentOf(child.name, zones) === zone.name);
    const lines = children.flatMap((child) => [
      ...nsLines(`${child.name}.`, child.servers),
      ds(child.name, child.security ?? 'secure') ?? '',
    ]);
    const text = zoneText(zone, lines, serverLines(spec.primary, spec.secondary));
    writeFileSync(join(dirs.primary, `${zone.name}.zone`), text);
  }
  const anchored = zones.filter(({ name }) => parentOf(name, zones) === undefined);
  return { ...conf, ds, trustAnchors: anchored.flatMap(({ name }) => dnskeys.get(name) ?? []) };
}

/** DNSKEY records by zone, of all zones that are signed. */
async function makeKeys(dir: string, zones: readonly ZoneSpec[]): Promise<Map<string, string>> {
  const signed = zones.filter((zone) => zone.security !== 'insecure');
  const made = signed.map(async ({ name }): Promise<[string, string]> => [name, await makeKey(dir, name)]);
  return new Map(await Promise.all(made));
}

/** A new TSIG key of this name. */
export function newKey(name: string): TsigKey {
  return { name, algorithm: 'hmac-sha256', secret: randomBytes(32).toString('base64') };
}
