/** Builds the lab's Go programs into the cache: each in a folder that appears only when it is complete. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../command.ts';
import { cacheRoot, type Recipe, recipes, sourceFolder, type ToolName, toolFolder } from '../tools.ts';
import { withLock } from './lock.ts';
import { SetupError, step } from './steps.ts';
import { goCommand } from './toolchain.ts';

/** Builds those of the named tools that the cache lacks, one after the other: a Go build uses all cores by itself. */
export async function buildTools(names: readonly ToolName[]): Promise<void> {
  const missing = recipes.filter((recipe) => names.includes(recipe.name) && !existsSync(toolFolder(recipe)));
  if (missing.length === 0) return;
  const go = await goCommand();
  for (const recipe of missing) {
    await withLock(join(cacheRoot(), `${recipe.name}.lock`), recipe.name, async () => {
      if (existsSync(toolFolder(recipe))) return;
      await step(`${recipe.name} ${recipe.version}: building from Go modules (cold: ${recipe.cold})`, () =>
        build(recipe, go),
      );
    });
  }
}

async function build(recipe: Recipe, go: string): Promise<void> {
  const target = toolFolder(recipe);
  mkdirSync(dirname(target), { recursive: true });
  removeDrafts(recipe);
  const draft = mkdtempSync(join(dirname(target), `.${recipe.name}-`));
  try {
    await compile(recipe, draft, go);
    for (const link of recipe.links) symlinkSync(recipe.name, join(draft, link));
    renameSync(draft, target);
  } catch (error) {
    throw new SetupError(
      `building ${recipe.name} failed: ${error instanceof Error ? error.message : String(error)}`,
      'if modules could not be fetched, check the network or set GOPROXY to a proxy within reach; then run this again.',
    );
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** What a build left that was killed; called under the lock. */
function removeDrafts(recipe: Recipe): void {
  for (const entry of readdirSync(cacheRoot())) {
    if (entry.startsWith(`.${recipe.name}-`)) rmSync(join(cacheRoot(), entry), { recursive: true, force: true });
  }
}

async function compile(recipe: Recipe, draft: string, go: string): Promise<void> {
  const env = { CGO_ENABLED: '0', GOWORK: 'off' };
  const common = ['-trimpath', '-buildvcs=false'];
  if ('module' in recipe.source) {
    const options = { env: { ...env, GOBIN: draft }, cwd: draft };
    await run([go, 'install', ...common, '-ldflags', '-s -w', recipe.source.module], options);
    return;
  }
  const { folder, ldflags } = recipe.source;
  const options = { env, cwd: sourceFolder(folder) };
  await run([go, 'build', ...common, '-ldflags', ldflags, '-o', join(draft, recipe.name), '.'], options);
}
