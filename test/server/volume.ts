/** A folder that changes as the kubelet changes a mounted Secret: a new folder, then one swap of `..data`. */
import { existsSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostEntry, Shard } from '../../src/policyshard/shard.ts';
import { packShard } from '../../src/server/shard-file.ts';

let generation = 0;

export function mountSecret(folder: string, data: Readonly<Record<string, string | Buffer>>): void {
  mkdirSync(folder, { recursive: true });
  generation += 1;
  const fresh = `..2026_11_22_${generation}`;
  mkdirSync(join(folder, fresh));
  for (const [name, value] of Object.entries(data)) writeFileSync(join(folder, fresh, name), value);
  const link = join(folder, '..data');
  const old = existsSync(link) ? readlinkSync(link) : undefined;
  symlinkSync(fresh, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), link);
  for (const name of Object.keys(data)) {
    if (!existsSync(join(folder, name))) symlinkSync(join('..data', name), join(folder, name));
  }
  if (old !== undefined) rmSync(join(folder, old), { recursive: true });
}

export async function mountShard(folder: string, hosts: Readonly<Record<string, HostEntry>>): Promise<void> {
  const shard: Shard = { formatVersion: 1, hosts };
  const { name, bytes } = await packShard(shard);
  mountSecret(folder, { [name]: bytes });
}
