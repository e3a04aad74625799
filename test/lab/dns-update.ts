/** Changes made by hand through nsupdate, as an administrator makes them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { keyClause, type TsigKey } from './dns-conf.ts';

export type Signer = 'admin' | 'tsig';
export type Nsupdate = (lines: string, signer?: Signer) => Promise<void>;

/** Writes a key file beside the servers and returns its path. */
export function tsigKeyFile(dir: string, key: TsigKey): string {
  const path = join(dir, `${key.name}.key`);
  writeFileSync(path, keyClause(key), { mode: 0o600 });
  return path;
}

/** `signer` is the lab's administrator unless `tsig` names the product's key. */
export function nsupdate(server: string, keyFiles: Readonly<Record<Signer, string>>): Nsupdate {
  return async (lines, signer = 'admin') => {
    await run(['nsupdate', '-k', keyFiles[signer]], { input: `server ${server}\n${lines}\nsend\n` });
  };
}
