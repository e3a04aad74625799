import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { run } from '../command.ts';
import { type Lab, places } from '../lab.ts';
import { toolPath } from '../tools.ts';

/** examples/quickstart.yaml with the overlay of the lab, and what only a running lab knows. */
export async function renderOverlay(lab: Lab): Promise<string> {
  const folder = join(import.meta.dirname, '../overlay');
  const text = await run([toolPath('kubectl'), 'kustomize', '--load-restrictor', 'LoadRestrictionsNone', folder]);
  const known: Readonly<Record<string, string>> = {
    NAME_SERVER: places.primary.v4,
    TSIG_KEY_NAME: lab.bind.tsig.name,
    TSIG_ALGORITHM: lab.bind.tsig.algorithm,
    ACME_DIRECTORY: lab.pebble.directoryUrl,
    ACME_CA: readFileSync(lab.pebble.caFile, 'utf8'),
  };
  return text.replaceAll(/["']?\$\{([A-Z_]+)\}["']?/g, (_, name: string) => {
    const value = known[name];
    if (value === undefined) throw new Error(`the overlay asks for ${name}, which the lab does not know`);
    return JSON.stringify(value);
  });
}
