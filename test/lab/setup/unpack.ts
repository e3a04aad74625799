/** Unpacks Debian's mail servers into the cache, with the libraries that this machine lacks. Nothing is installed. */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isDebian } from '../capabilities.ts';
import { run } from '../command.ts';
import type { ToolName } from '../tools.ts';
import { buildOnce, missingOf } from './build.ts';

const advice = 'if packages could not be fetched, check the network and /etc/apt, run apt-get update, then this again.';

/** Where each program lies in its package. */
const programs: Readonly<Record<string, string>> = {
  dovecot: 'usr/sbin/dovecot',
  doveconf: 'usr/bin/doveconf',
  doveadm: 'usr/bin/doveadm',
  exim: 'usr/sbin/exim4',
  sendmail: 'usr/libexec/sendmail/sendmail',
  m4: 'usr/bin/m4',
};

/** Unpacks those of the named tools that the cache lacks; elsewhere than on Debian nothing. */
export async function unpackServers(names: readonly ToolName[]): Promise<void> {
  if (!isDebian()) return;
  for (const recipe of missingOf(names)) {
    if (!('packages' in recipe.source)) continue;
    const { packages } = recipe.source;
    await buildOnce(recipe, { from: 'unpacking Debian packages', into: (draft) => unpack(packages, draft), advice });
  }
}

async function unpack(packages: readonly string[], draft: string): Promise<void> {
  const [debs, root] = [join(draft, 'debs'), join(draft, 'root')];
  for (const folder of [debs, root]) mkdirSync(folder);
  // Root's apt fetches as a user of its own.
  chmodSync(debs, 0o777);
  await run(['apt-get', '-qq', 'download', ...packages, ...(await missingLibraries(packages))], { cwd: debs });
  for (const deb of readdirSync(debs)) await run(['dpkg-deb', '-x', join(debs, deb), root]);
  rmSync(debs, { recursive: true });
  for (const [name, path] of Object.entries(programs)) {
    if (!existsSync(join(root, path))) throw new Error(`no package holds ${path}`);
    symlinkSync(join('root', path), join(draft, name));
  }
}

async function missingLibraries(packages: readonly string[]): Promise<readonly string[]> {
  const only = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((what) => `--no-${what}`);
  const found = await run(['apt-cache', 'depends', '--recurse', ...only, ...packages]);
  const installed = new Set((await run(['dpkg-query', '-W', '-f', '${Package}\\n'])).split('\n'));
  const libraries = found.split('\n').filter((name) => /^lib[a-z0-9.+-]*\d[a-z0-9.+-]*$/u.test(name));
  return [...new Set(libraries)].filter(
    (name) => !installed.has(name) && !/^lib(elogind|debian-installer|newt)/u.test(name),
  );
}
