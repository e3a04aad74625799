/** Builds the lab's Go programs into the cache. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../command.ts';
import { type Recipe, sourceFolder, type ToolName } from '../tools.ts';
import { buildOnce, missingOf } from './build.ts';
import { goCommand } from './toolchain.ts';

/** Builds those of the named tools that the cache lacks, one after the other: a Go build uses all cores by itself. */
export async function buildTools(names: readonly ToolName[]): Promise<void> {
  const missing = missingOf(names).filter((recipe) => !('python' in recipe.source || 'packages' in recipe.source));
  if (missing.length === 0) return;
  const go = await goCommand();
  for (const recipe of missing) {
    await buildOnce(recipe, {
      from: 'building from Go modules',
      into: (draft) => compile(recipe, draft, go),
      advice:
        'if modules could not be fetched, check the network or set GOPROXY to a proxy within reach; then run this again.',
    });
  }
}

async function compile(recipe: Recipe, draft: string, go: string): Promise<void> {
  const env = { CGO_ENABLED: '0', GOWORK: 'off' };
  const common = ['-trimpath', '-buildvcs=false'];
  for (const link of recipe.links) symlinkSync(recipe.name, join(draft, link));
  if ('module' in recipe.source) {
    const options = { env: { ...env, GOBIN: draft }, cwd: draft };
    await run([go, 'install', ...common, '-ldflags', '-s -w', recipe.source.module], options);
    return;
  }
  if (!('ldflags' in recipe.source)) throw new Error(`${recipe.name} is not written in Go`);
  const { folder, ldflags } = recipe.source;
  const options = { env, cwd: sourceFolder(folder) };
  await run([go, 'build', ...common, '-ldflags', ldflags, '-o', join(draft, recipe.name), '.'], options);
}
