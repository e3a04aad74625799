/**
 * One seeded defect of the product for each invariant: what the observer is worth shows in that he finds all of them,
 * and nothing without them.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Plugin } from 'esbuild';
import { bundle } from '../lab/bundle.ts';
import type { ScenarioName } from './scenarios.ts';
import type { Invariant } from './sightings.ts';

export interface Mutant {
  readonly invariant: Invariant;
  /** What is wrong with it, as a sentence. */
  readonly defect: string;
  readonly edits: readonly Edit[];
  readonly scenario: ScenarioName;
  /** The defect is of the policy server. */
  readonly pods?: true;
}

export interface Edit {
  /** In `src`. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly text: string;
  readonly instead: string;
}

export const mutants: readonly Mutant[] = [
  {
    invariant: 'I1',
    defect: 'TLSA records are published before the hosts present the key',
    edits: [
      {
        file: 'plan/exchanger-records.ts',
        text: 'const risky = bare && !covered(values, presented);',
        instead: 'const risky = false;',
      },
      {
        file: 'plan/exchanger-records.ts',
        text: 'return set([...new Set([current, next].map(tlsaOfKey))].sort(), unproven);',
        instead: 'return set([current, next].map(tlsaOfKey).sort());',
      },
    ],
    scenario: 'life',
  },
  {
    invariant: 'I2',
    defect: 'the id does not wait for the pods',
    edits: [{ file: 'plan/serving.ts', text: 'if (!serving.everywhere) return', instead: 'if (false) return' }],
    scenario: 'slow-volumes',
  },
  {
    invariant: 'I3',
    defect: 'a host leaves the policy as soon as it leaves the spec',
    edits: [
      {
        file: 'plan/publication.ts',
        text: 'const removedHosts = [...known, ...added].flatMap(',
        instead: 'const removedHosts = known.flatMap(',
      },
    ],
    scenario: 'host-removed',
  },
  {
    invariant: 'I4',
    defect: 'a withdrawn policy is not held to its last promise',
    edits: [
      {
        file: 'plan/retirement.ts',
        text: "if (announced && !('until' in end && now >= end.until))",
        instead: "if (announced && !('until' in end))",
      },
    ],
    scenario: 'deletion',
  },
  {
    invariant: 'I5',
    defect: 'a record of somebody else is taken for ours',
    edits: [
      {
        file: 'plan/guard.ts',
        text: 'if (equalSets(live, wanted) || owned(live, entry, whose.marked) || whose.adopted) return undefined;',
        instead: 'return undefined;',
      },
    ],
    scenario: 'foreign-report',
  },
  {
    invariant: 'I6',
    defect: 'an open order is not gone on with',
    edits: [
      {
        file: 'plan/certificate.ts',
        text: 'if (order !== undefined) return join(planOrder(at, order), cleanup);',
        instead: '',
      },
      {
        // Who goes on with no stored order is given the one that is open all the same.
        file: 'apply/acme.ts',
        text: 'if (last !== undefined && last.replaces === replaces) {',
        instead: 'if (false) {',
      },
    ],
    scenario: 'life',
  },
  {
    invariant: 'I7',
    defect: 'the hosts are given the certificate with the key of the next one',
    edits: [
      {
        file: 'plan/delivery.ts',
        text: 'encode(keyNamed(state, certificate.spkiSha256).pem)',
        instead: 'encode(keyNamed(state, state.rollover.next).pem)',
      },
    ],
    scenario: 'life',
  },
  {
    invariant: 'I8',
    defect: 'certificates are renewed when they have ended',
    edits: [
      {
        file: 'plan/certificate.ts',
        text: 'now < certificate.renewAt',
        instead: 'now < certificate.notAfter',
      },
    ],
    scenario: 'brief-certificates',
  },
  {
    invariant: 'I9',
    defect: 'a status is written although nothing in it is new',
    edits: [
      {
        file: 'reconcile/statuswriter.ts',
        text: 'if (text === (written?.text ?? canonical(shown))) return undefined;',
        instead: '',
      },
    ],
    scenario: 'rest',
  },
  {
    invariant: 'I10',
    defect: 'a leader that has lost the Lease goes on',
    edits: [
      { file: 'kube/lease.ts', text: 'renewDeadlineSeconds = 10,', instead: 'renewDeadlineSeconds = 100_000,' },
      { file: 'kube/lease.ts', text: "if (hasReason(lost, 'NotLeader', 'NotFound')) return last;", instead: '' },
    ],
    scenario: 'two-operators',
  },
  {
    invariant: 'I11',
    defect: 'domains are looked at one after another',
    edits: [{ file: 'kube/workqueue.ts', text: 'running.size < workers', instead: 'running.size < 1' }],
    scenario: 'bad-neighbours',
  },
  {
    invariant: 'I12',
    defect: 'a pod drops what an emptied shard no longer has',
    edits: [{ file: 'server/served.ts', text: 'for (const host of missing) keep(host);', instead: '' }],
    scenario: 'emptied-shard',
    pods: true,
  },
  {
    invariant: 'I14',
    defect: 'Ready does not ask how the hosts were seen',
    edits: [
      {
        file: 'status/domain.ts',
        text: 'const open = observed.exchangers.filter(({ ready }) => !ready);',
        instead: 'const open: typeof observed.exchangers = [];',
      },
      {
        file: 'status/domain.ts',
        text: 'const [first] = doubts;',
        instead: 'const [first] = doubts.slice(0, 0);',
      },
    ],
    scenario: 'unreachable-host',
  },
  {
    invariant: 'I16',
    defect: 'a deletion hands over to nobody',
    edits: [
      {
        file: 'reconcile/deletion.ts',
        text: 'if (passed.length === 0) return;',
        instead: 'if (passed.length < 9) return;',
      },
    ],
    scenario: 'deletion',
  },
  {
    invariant: 'I17',
    defect: 'a key is delivered although the TLSA records that stand name another',
    edits: [
      {
        file: 'dane/keystate.ts',
        text: "if (set.outcome === 'Secure' && !holds(set, key)) {",
        instead: "if (set.outcome === 'Secure' && set.values.length > 99) {",
      },
    ],
    scenario: 'foreign-tlsa',
  },
  {
    invariant: 'I18',
    defect: 'a resolver that was not seen to validate is believed',
    edits: [
      {
        file: 'observe/dns/resolver.ts',
        text: 'message.authenticData && server.validating',
        instead: 'message.authenticData',
      },
    ],
    scenario: 'blind',
  },
  {
    invariant: 'I19',
    defect: 'who is suspended is not renewed',
    edits: [
      {
        file: 'plan/assemble.ts',
        text: "...inLane('Certificate', proving),",
        instead: "...(suspended ? [] : inLane('Certificate', proving)),",
      },
    ],
    scenario: 'brief-certificates-suspended',
  },
];

const source = resolve(import.meta.dirname, '../../src');

/** The files that edits concern, by their paths, as they leave them. @throws Error where a text is not there once. */
export function edited(edits: readonly Edit[]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const { file, text, instead } of edits) {
    const path = join(source, file);
    const before = texts.get(path) ?? readFileSync(path, 'utf8');
    const parts = before.split(text);
    if (parts.length !== 2)
      throw new Error(`src/${file} has ${JSON.stringify(text)} ${parts.length - 1} times, not once`);
    texts.set(path, parts.join(instead));
  }
  return texts;
}

/** The program with the defect, or that of `entry`, in a folder of its own; the tree is not touched. @throws as `edited`. */
export async function bundleEdited(edits: readonly Edit[], outDir: string, entry?: string): Promise<string> {
  const texts = edited(edits);
  const plugin: Plugin = {
    name: 'mutant',
    setup: (build) => {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const contents = texts.get(path);
        return contents === undefined ? undefined : { contents, loader: 'ts' };
      });
    },
  };
  await bundle(outDir, entry, true, [plugin]);
  return join(outDir, 'main.js');
}
