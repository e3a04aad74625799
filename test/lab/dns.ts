/**
 * BIND as the lab's authoritative servers: a primary that signs and takes TSIG updates, and a secondary that follows
 * it within a second. Above all zones stands `test`, whose key is what the validating resolvers trust.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { ask } from './dns-ask.ts';
import type { Role, TsigKey } from './dns-conf.ts';
import { type Layout, layOut } from './dns-layout.ts';
import { type Follower, type FollowerSpec, startFollower } from './dns-follower.ts';
import { type LoggedQuery, loggedQueries, loggedUpdates } from './dns-log.ts';
import { isServed, startNamed } from './dns-named.ts';
import { type Nsupdate, nsupdate, tsigKeyFile } from './dns-update.ts';
import { type Addresses, parentOf, type Security, type ZoneSpec } from './dns-zone.ts';
import { type Running, waitFor } from './process.ts';

export interface BindSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  /** Addresses that an interface carries; both servers listen on port 53 of theirs. */
  readonly primary: Addresses;
  readonly secondary: Addresses;
  readonly zones: readonly ZoneSpec[];
  /** Where `follow` will start further secondaries. */
  readonly followers?: readonly Addresses[];
}

export interface Bind {
  /** The product's key: it may update the zones with `allowUpdate`. */
  readonly tsig: TsigKey;
  /** DNSKEY records of the zones that nobody here delegates, as Unbound's `trust-anchor` takes them. */
  readonly trustAnchors: readonly string[];
  /** Names of all zones served, `test` among them. */
  readonly zones: readonly string[];
  /** The processes as they are now: `signal('SIGSTOP')` makes a server that no longer answers. */
  readonly primary: Running;
  readonly secondary: Running;
  /** Takes a server down; it answers nobody until it is up again. */
  readonly down: (role: Role) => Promise<void>;
  /** Starts a server that is down with all that it had; resolves when it answers for every zone. */
  readonly up: (role: Role) => Promise<void>;
  /** The serial that a server (the primary when absent) shows at this moment. */
  readonly serial: (zone: string, role?: Role) => Promise<number>;
  /** Sends lines of nsupdate (`zone …`, `update add …`) as one message; rejects with what nsupdate said. */
  readonly dynamicUpdate: Nsupdate;
  /** All records of a zone at the primary, as lines of a zone file with full names. */
  readonly transfer: (zone: string) => Promise<readonly string[]>;
  /** Makes the parent vouch for a zone in another way from now on; its own signatures stay. Resolvers may remember: flush. */
  readonly delegate: (zone: string, security: Security) => Promise<void>;
  /**
   * How many UPDATE messages signed with the product's key the primary let in, in one zone or in all; those whose
   * prerequisites then failed count too.
   */
  readonly updates: (zone?: string) => number;
  /** Every question asked of a server (the primary when absent) since it started, in order. */
  readonly queries: (role?: Role) => readonly LoggedQuery[];
  /** Takes a zone out of the primary's configuration, or gives it back with all that it held; resolves when that shows. */
  readonly holds: (zone: string, does: boolean) => Promise<void>;
  /** Resolves when the secondary shows the primary's serial. */
  readonly settled: (zone: string) => Promise<void>;
  /** Starts a further secondary; it ends by its own `stop`. */
  readonly follow: (spec: FollowerSpec) => Promise<Follower>;
  readonly stop: () => Promise<void>;
}

/** Resolves when both servers answer for every zone on every address, signed where it is to be signed. */
export async function startBind(spec: BindSpec): Promise<Bind> {
  const layout = await layOut(spec);
  const { zones, dirs, keys } = layout;
  const parts = { primary: startNamed('primary', dirs.primary), secondary: startNamed('secondary', dirs.secondary) };
  const stop = async (): Promise<void> => void (await Promise.all([parts.primary.stop(), parts.secondary.stop()]));
  const serial = (zone: string, role: Role = 'primary'): Promise<number> => soaSerial(spec[role].v4, zone);
  const settled = async (zone: string): Promise<void> => {
    const same = async (): Promise<boolean> => (await serial(zone)) === (await serial(zone, 'secondary'));
    await waitFor(`the secondary shows ${zone} as the primary does`, same, { everyMs: 20, part: parts.secondary });
  };
  const served = async (role: Role): Promise<void> =>
    void (await Promise.all(zones.map((zone) => isServed(spec[role], parts[role], zone))));
  try {
    await Promise.all([served('primary'), served('secondary')]);
    await Promise.all(zones.map((zone) => settled(zone.name)));
  } catch (error) {
    await stop();
    throw error;
  }
  const keyFiles = { admin: tsigKeyFile(spec.dir, keys.admin), tsig: tsigKeyFile(spec.dir, keys.tsig) };
  let whole: string | undefined;
  const transferKeyFile = tsigKeyFile(spec.dir, keys.transfer);
  const dynamicUpdate = nsupdate(spec.primary.v4, keyFiles);
  return {
    tsig: keys.tsig,
    trustAnchors: layout.trustAnchors,
    zones: zones.map((zone) => zone.name),
    get primary() {
      return parts.primary;
    },
    get secondary() {
      return parts.secondary;
    },
    down: (role) => parts[role].stop(),
    up: async (role) => {
      if (!parts[role].alive()) parts[role] = startNamed(role, dirs[role]);
      await served(role);
    },
    serial,
    dynamicUpdate,
    transfer: async (zone) => {
      const options = ['-k', transferKeyFile, '+noall', '+answer', '+onesoa'];
      const text = await run(['dig', ...options, `@${spec.primary.v4}`, zone, 'AXFR']);
      return text.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
    },
    delegate: async (name, security) => {
      await dynamicUpdate(delegation(layout, name, security));
      await settled(parentOf(name, zones) ?? name);
    },
    holds: async (zone, does) => {
      const conf = join(dirs.primary, 'named.conf');
      whole ??= readFileSync(conf, 'utf8');
      writeFileSync(conf, does ? whole : withoutZone(whole, zone), { mode: 0o600 });
      parts.primary.signal('SIGHUP');
      const isAuthority = async (): Promise<boolean> =>
        (await ask({ server: spec.primary.v4, name: zone, type: 'SOA' })).answers.length > 0;
      const shows = `the primary holds ${zone}: ${does}`;
      await waitFor(shows, async () => (await isAuthority()) === does, { everyMs: 20, part: parts.primary });
    },
    settled,
    follow: (follower) => startFollower(layout, follower),
    updates: (zone) => loggedUpdates(join(dirs.primary, 'update.log'), keys.tsig.name, zone),
    queries: (role = 'primary') => loggedQueries(join(dirs[role], 'query.log')),
    stop,
  };
}

async function soaSerial(server: string, zone: string): Promise<number> {
  const { answers } = await ask({ server, name: zone, type: 'SOA' });
  const soa = answers.find((answer) => answer.type === 'SOA');
  if (soa?.data.serial === undefined) throw new Error(`${server} shows no SOA for ${zone}`);
  return soa.data.serial;
}

/** named.conf without the clause of one zone, which ends with the first line that begins with a brace. */
function withoutZone(conf: string, zone: string): string {
  const begin = conf.indexOf(`zone "${zone}" {`);
  if (begin < 0) throw new Error(`named.conf has no zone ${zone}`);
  return conf.slice(0, begin) + conf.slice(conf.indexOf('\n};', begin) + 3);
}

/** Lines of nsupdate that replace the DS of a zone at its parent. */
function delegation(layout: Layout, name: string, security: Security): string {
  const parent = parentOf(name, layout.zones);
  if (parent === undefined) throw new Error(`no zone here delegates ${name}`);
  const ds = layout.ds(name, security);
  const added = ds === undefined ? [] : [`update add ${ds.replace(' IN ', ' 5 IN ')}`];
  return [`zone ${parent}`, `update delete ${name}. DS`, ...added].join('\n');
}
