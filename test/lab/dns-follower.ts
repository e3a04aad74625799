/** A further secondary of the lab's primary, whose transfers can be made to fail: it goes on with what it has. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './dns-ask.ts';
import { type ConfSpec, namedConf } from './dns-conf.ts';
import { isServed, startNamed } from './dns-named.ts';
import type { Addresses, ZoneSpec } from './dns-zone.ts';
import { type Running, waitFor } from './process.ts';

export interface FollowerSpec {
  readonly name: string;
  readonly addresses: Addresses;
  /** Those that it follows; it refuses all others. */
  readonly zones: readonly ZoneSpec[];
  /** Zones that it is to follow and never got: it fails to answer for them. */
  readonly failing?: readonly ZoneSpec[];
  /** Zone files, signed ones too, that it serves as they are, by zone. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface Follower {
  readonly part: Running;
  /** No transfer comes through any more; resolves when it serves what it had. */
  readonly freeze: () => Promise<void>;
  /** Transfers come through again; resolves when it shows the primary's serials. */
  readonly thaw: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Nobody serves anything there. */
const nowhere: Addresses = { v4: '127.0.0.1' };

function confOf(layout: ConfSpec, spec: FollowerSpec, dir: string, frozen: boolean): string {
  const own = { ...layout, secondary: spec.addresses, dirs: { ...layout.dirs, secondary: dir } };
  const primary = frozen ? nowhere : layout.primary;
  const { failing = [], files = {} } = spec;
  const following = namedConf('secondary', { ...own, primary, zones: spec.zones });
  const lost = failing.map(({ name }) => zone(name, `type secondary; primaries { ${nowhere.v4}; };`));
  const fixed = Object.entries(files).map(([name, file]) => zone(name, `type primary; file "${file}"; notify no;`));
  return [following, ...lost, ...fixed].join('\n');
}

const zone = (name: string, clauses: string): string => `zone "${name}" { ${clauses} };`;

/** Resolves when it answers for all that it follows. */
export async function startFollower(layout: ConfSpec, spec: FollowerSpec): Promise<Follower> {
  const dir = join(layout.dirs.secondary, '..', spec.name);
  mkdirSync(dir, { recursive: true });
  const start = async (frozen: boolean): Promise<Running> => {
    writeFileSync(join(dir, 'named.conf'), confOf(layout, spec, dir, frozen), { mode: 0o600 });
    const started = startNamed(spec.name, dir);
    try {
      await waitFor(`${started.name} answers`, () => ask({ server: spec.addresses.v4, name: 'test', type: 'SOA' }), {
        everyMs: 50,
        part: started,
      });
      await Promise.all(spec.zones.map((one) => isServed(spec.addresses, started, one)));
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  };
  const serial = async (server: string, name: string): Promise<number | undefined> => {
    const { answers } = await ask({ server, name, type: 'SOA' });
    const soa = answers.find((answer) => answer.type === 'SOA');
    return soa?.data.serial;
  };
  let part = await start(false);
  return {
    get part() {
      return part;
    },
    freeze: async () => {
      await part.stop();
      part = await start(true);
    },
    thaw: async () => {
      await part.stop();
      part = await start(false);
      for (const { name } of spec.zones) {
        await waitFor(
          `${spec.name} shows ${name} as the primary does`,
          async () => (await serial(layout.primary.v4, name)) === (await serial(spec.addresses.v4, name)),
          { everyMs: 20, part },
        );
      }
    },
    stop: () => part.stop(),
  };
}
