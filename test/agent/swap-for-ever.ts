/** Swaps pairs until it is killed; says on stdout when it has begun. */
import { swapPlace } from '../../src/agent/place.ts';
import type { Owner, TlsFiles } from '../../src/agent/servers/server.ts';

interface Input {
  readonly files: TlsFiles;
  readonly owner: Owner;
  readonly all: readonly (readonly [string, string][])[];
}

const { files, owner, all } = JSON.parse(process.argv[2] ?? '') as Input;
for (let turn = 0; ; turn += 1) {
  await swapPlace(files, { wanted: new Map(all[turn % all.length]), owner, keep: turn % 3 > 0 });
  if (turn === 0) process.stdout.write('begun\n');
}
