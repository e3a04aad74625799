/** Seeded defects of the product, each of which sequences in memory must show. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleEdited, type Edit } from '../observer/mutants.ts';

export interface Mutant {
  readonly defect: string;
  readonly edits: readonly Edit[];
}

export const mutants: readonly Mutant[] = [
  {
    defect: 'the guard lets foreign sets pass',
    edits: [
      {
        file: 'plan/guard.ts',
        text: 'if (equalSets(live, wanted) || owned(live, entry, whose.marked) || whose.adopted) return undefined;',
        instead: 'return undefined;',
      },
    ],
  },
  {
    defect: 'what was found is taken for ours',
    edits: [
      {
        file: 'plan/ownership.ts',
        text: "case 'Found':\n      return false;",
        instead: "case 'Found':\n      return true;",
      },
    ],
  },
  {
    defect: 'the mark alone makes a set ours, whatever is remembered',
    edits: [{ file: 'plan/ownership.ts', text: 'return !remembered && markStands', instead: 'return markStands' }],
  },
  {
    defect: 'beside the mark any shape is ours',
    edits: [{ file: 'plan/ownership.ts', text: 'return values.every(ours);', instead: 'return values.length > 0;' }],
  },
  {
    defect: 'the mark of another installation is not respected',
    edits: [
      {
        file: 'plan/ownership.ts',
        text: 'return owners.includes(installationId) ? undefined : owners[0];',
        instead: 'return owners.includes(installationId) ? undefined : undefined;',
      },
    ],
  },
  {
    defect: 'nothing is compared right before an API is called that does not compare',
    edits: [{ file: 'apply/providers/compare.ts', text: 'if (moved === undefined) return;', instead: 'return;' }],
  },
  {
    defect: 'names that only a wildcard provides are written below',
    edits: [{ file: 'plan/guard.ts', text: 'return below && { record, ...below };', instead: 'return undefined;' }],
  },
  {
    defect: 'who alters a set again and again is fought without a pause',
    edits: [{ file: 'plan/contested.ts', text: 'const patientTimes = 3;', instead: 'const patientTimes = 300;' }],
  },
  {
    defect: 'who leads no more goes on writing',
    edits: [
      {
        file: 'kube/guard.ts',
        text: 'const lasts = (): boolean => !over && isLeader();',
        instead: 'const lasts = (): boolean => isLeader();',
      },
    ],
  },
];

/** How a mutant fails within so many sequences; undefined where it was not found out. */
export async function hunted({ edits }: Mutant, sequences: number): Promise<string | undefined> {
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-mutant-'));
  try {
    const program = await bundleEdited(edits, dir, join(import.meta.dirname, 'memory.ts'));
    const child = spawn(process.execPath, [program, '1', String(sequences)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject).once('close', (status) => resolve(status ?? 1));
    });
    return code === 0 ? undefined : (said.split('\n')[1] ?? said).trim();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
