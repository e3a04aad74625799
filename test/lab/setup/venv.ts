/** Installs the lab's Python programs into the cache, each with exact versions in a virtual environment of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../command.ts';
import { type Recipe, sourceFolder, type ToolName } from '../tools.ts';
import { buildOnce, missingOf } from './build.ts';

const advice = [
  'it takes Python 3 with venv (on Debian the package python3-venv) and a package index within reach of pip',
  '(behind a proxy: pip config set global.index-url URL); then run this again.',
].join(' ');

/** Installs those of the named tools that the cache lacks. */
export async function installPrograms(names: readonly ToolName[]): Promise<void> {
  for (const recipe of missingOf(names)) {
    if (!('python' in recipe.source)) continue;
    const { folder, python } = recipe.source;
    const requirements = join(sourceFolder(folder), 'requirements.txt');
    const into = (draft: string): Promise<void> => install(recipe, { draft, requirements, module: python });
    await buildOnce(recipe, { from: 'installing Python packages', into, advice });
  }
}

interface Place {
  readonly draft: string;
  readonly requirements: string;
  readonly module: string;
}

async function install({ name }: Recipe, { draft, requirements, module }: Place): Promise<void> {
  await run(['python3', '-m', 'venv', draft]);
  const pip = [join(draft, 'bin', 'python3'), '-m', 'pip'] as const;
  await run([...pip, 'install', '--quiet', '--require-hashes', '--only-binary', ':all:', '-r', requirements]);
  // The programs that pip makes name the folder that they were made in, which is about to get another name.
  const text = `#!/bin/sh\nexec "$(dirname "$0")/bin/python3" -m ${module} "$@"\n`;
  writeFileSync(join(draft, name), text, { mode: 0o755 });
}
