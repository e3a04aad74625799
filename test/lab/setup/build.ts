/** Puts what a recipe makes into the cache: in a folder that appears only when it is complete. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheRoot, type Recipe, recipes, type ToolName, toolFolder } from '../tools.ts';
import { withLock } from './lock.ts';
import { SetupError, step } from './steps.ts';

interface Work {
  /** What is done, for people who wait. */
  readonly from: string;
  readonly into: (draft: string) => Promise<void>;
  /** What to do when it fails. */
  readonly advice: string;
}

/** The recipes of the named tools that the cache lacks. */
export function missingOf(names: readonly ToolName[]): readonly Recipe[] {
  return recipes.filter((recipe) => names.includes(recipe.name) && !existsSync(toolFolder(recipe)));
}

/** Builds it unless another set-up has done so meanwhile. */
export async function buildOnce(recipe: Recipe, work: Work): Promise<void> {
  await withLock(join(cacheRoot(), `${recipe.name}.lock`), recipe.name, async () => {
    if (existsSync(toolFolder(recipe))) return;
    await step(`${recipe.name} ${recipe.version}: ${work.from} (cold: ${recipe.cold})`, () => build(recipe, work));
  });
}

async function build(recipe: Recipe, { into, advice }: Work): Promise<void> {
  const target = toolFolder(recipe);
  mkdirSync(dirname(target), { recursive: true });
  removeDrafts(recipe);
  const draft = mkdtempSync(join(dirname(target), `.${recipe.name}-`));
  try {
    await into(draft);
    renameSync(draft, target);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SetupError(`building ${recipe.name} failed: ${why}`, advice);
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
