/**
 * A provider as there are many: a hidden primary that no NS record names, three secondaries of which one has IPv6 and
 * one can be made to lag, a server that the delegation of one zone names and that knows nothing of it, resolvers inside
 * and outside, and zones in every state that a mail domain may be found in.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { type Bind, startBind } from './dns.ts';
import type { Follower } from './dns-follower.ts';
import { startUnbound, type Unbound } from './dns-unbound.ts';
import { type Addresses, type ZoneSpec, zoneText } from './dns-zone.ts';
import { addAddress, newFolder } from './namespace.ts';

const at = (last: number): string => `10.53.60.${last}`;

const places = {
  primary: { v4: at(1) },
  mirror: { v4: at(2) },
  parent: { v4: at(3) },
  a: { v4: at(11), v6: 'fd53::60:11' },
  b: { v4: at(12) },
  c: { v4: at(13) },
  lame: { v4: at(14) },
  outside: { v4: at(21) },
  inside: { v4: at(22) },
} as const satisfies Readonly<Record<string, Addresses>>;

const secondaries = ['a', 'b', 'c'] as const;
const serverNames = secondaries.map((name) => `${name}.isp.test`);
const records = '@ MX 10 mx1\nmx1 A 10.53.60.25';

/** One of the provider's zones: its secondaries answer for it. */
const zone = (label: string, change: Partial<ZoneSpec> = {}): ZoneSpec => ({
  name: `${label}.test`,
  records,
  servers: serverNames,
  ...change,
});

/** The zones above: their server has no other, so that what it says of those below is a delegation. */
const above: readonly ZoneSpec[] = [
  { name: 'test', servers: ['parent.test'], records: `parent A ${places.parent.v4}`, allowUpdate: false },
  {
    name: 'isp.test',
    servers: ['parent.test'],
    records: [...secondaries, 'lame' as const].flatMap((name) => addressLines(name, places[name])).join('\n'),
  },
];

const ending = zone('ending');
const failing = zone('failing');
const shared: readonly ZoneSpec[] = [
  zone('plain'),
  zone('lame', { alsoDelegated: ['lame.isp.test'] }),
  zone('split'),
  zone('slow', { negativeTtl: 60 }),
  zone('wild', { records: `${records}\n* MX 10 mx1\n* A 10.53.60.25` }),
  zone('unsigned', { security: 'insecure' }),
  zone('bogus', { security: 'bogus' }),
  zone('rolling', { rolling: true }),
];

/** Two months, as of a zone that is signed by hand; of which an hour is left. */
const signedAgoMs = 60 * 86_400_000;
const leftMs = 3_600_000;

export interface Isp {
  readonly bind: Bind;
  readonly a: Follower;
  readonly b: Follower;
  /** It fails to answer for `failing.test`, and its copy of `ending.test` was last signed two months ago. */
  readonly c: Follower;
  readonly outside: Unbound;
  /** It has something else for `_mta-sts.split.test`. */
  readonly inside: Unbound;
  /** Where updates go; no NS record leads there. */
  readonly primary: string;
  readonly stop: () => Promise<void>;
}

/** Resolves when every server answers for what it is to answer for. */
export async function startIsp(): Promise<Isp> {
  for (const { v4, ...rest } of Object.values(places)) {
    await addAddress(v4);
    if ('v6' in rest) await addAddress(rest.v6);
  }
  const dir = newFolder('isp');
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(stops.map((end) => end())));
  const kept = <T extends { readonly stop: () => Promise<void> }>(part: T): T => {
    stops.push(() => part.stop());
    return part;
  };
  try {
    const bind = kept(
      await startBind({
        dir: join(dir, 'bind'),
        primary: places.primary,
        secondary: places.mirror,
        zones: [...above, ...shared, ending, failing],
        followers: [places.parent, places.a, places.b, places.c],
      }),
    );
    const file = await signBriefly(join(dir, 'bind', 'primary', 'keys'), dir);
    const all = [...shared, ending, failing];
    kept(await bind.follow({ name: 'parent', addresses: places.parent, zones: above }));
    const a = kept(await bind.follow({ name: 'a', addresses: places.a, zones: all }));
    const b = kept(await bind.follow({ name: 'b', addresses: places.b, zones: all }));
    const files = { [ending.name]: file };
    const c = kept(await bind.follow({ name: 'c', addresses: places.c, zones: shared, failing: [failing], files }));
    kept(await bind.follow({ name: 'lame', addresses: places.lame, zones: [] }));
    const stubs = [{ zone: 'test', servers: [places.parent.v4] }];
    const view = { trustAnchors: bind.trustAnchors, stubs };
    const outside = kept(await startUnbound({ ...view, dir: join(dir, 'outside'), addresses: [places.outside.v4] }));
    const inside = kept(
      await startUnbound({
        ...view,
        dir: join(dir, 'inside'),
        addresses: [places.inside.v4],
        localData: ['_mta-sts.split.test. 5 IN TXT "v=STSv1; id=inside;"'],
      }),
    );
    return { bind, a, b, c, outside, inside, primary: places.primary.v4, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function addressLines(name: string, addresses: Addresses): readonly string[] {
  const { v4, v6 } = addresses;
  return [`${name} A ${v4}`, ...(v6 === undefined ? [] : [`${name} AAAA ${v6}`])];
}

/** The file of `ending.test` as it was signed with its keys two months ago, for two months and an hour. */
async function signBriefly(keys: string, dir: string): Promise<string> {
  const plain = join(dir, 'ending.zone');
  const file = join(dir, 'ending.signed');
  writeFileSync(plain, zoneText(ending, [], []));
  const [start, end] = [-signedAgoMs, leftMs].map((ms) => timeOf(Date.now() + ms));
  // -z: the one key signs all, whatever its flags; -P: the end would not be wondered at, but nor is it checked.
  const how = ['-S', '-z', '-P', '-K', keys, '-o', ending.name, '-s', start ?? '', '-e', end ?? '', '-f', file];
  await run(['dnssec-signzone', ...how, plain], { cwd: dir });
  return file;
}

/** As dnssec-signzone wants it: `20261129120000`, in UTC. */
const timeOf = (ms: number): string => new Date(ms).toISOString().replaceAll(/[-:T]|\..*$/gu, '');
