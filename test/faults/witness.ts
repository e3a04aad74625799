/** Counts the writes that pass, and says what none of them may show: a key too many, a record of ours taken for another's. */
import { messageOf } from '../../src/errors.ts';
import type { Witness, Write } from './gate.ts';

export interface Testimony extends Witness {
  /** What was wrong with the writes so far, as sentences. */
  readonly problems: () => readonly string[];
  /** What the server did, of what an operator asked it for. */
  readonly accepted: (what: string) => number;
  /** Of policies, in the order in which they were announced. */
  readonly ids: () => readonly string[];
}

/** What we read of the operator's Secrets. */
interface StoredState {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly keys?: readonly { readonly spkiSha256: string }[];
  readonly key?: { readonly spkiSha256: string };
  readonly applied?: readonly { readonly name: string; readonly type: string; readonly standing: string }[];
}
interface SecretBody {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** One key of a Secret's data. */
export const textOf = ({ data = {} }: SecretBody, key: string): string =>
  Buffer.from(data[key] ?? '', 'base64').toString('utf8');

/** One key of a domain, and of an exchanger one beside its successor, is all that these scenarios need. */
const mostKeys = (kind: string): number => (kind === 'domain' ? 1 : 2);

export function createTestimony(): Testimony {
  const problems = new Set<string>();
  const accepted = new Map<string, number>();
  const ids = new Set<string>();
  const keys = new Map<string, Set<string>>();

  const noteState = ({ kind, namespace, name, ...state }: StoredState): void => {
    const owner = `${kind} ${namespace}/${name}`;
    const known = keys.get(owner) ?? new Set();
    for (const { spkiSha256 } of [...(state.keys ?? []), ...(state.key === undefined ? [] : [state.key])])
      known.add(spkiSha256);
    keys.set(owner, known);
    if (known.size > mostKeys(kind))
      problems.add(`${known.size} keys of the ${owner} were stored, at most ${mostKeys(kind)} may be`);
    for (const { name: at, type, standing } of state.applied ?? []) {
      if (standing === 'Found') problems.add(`${at} ${type} of ours is taken for somebody else's`);
    }
  };
  const noteSecret = (secret: SecretBody): void => {
    // An issuer's account lies in a Secret of the same type.
    if (secret.type === 'mailseal.dev/state' && secret.data?.['state.json'] !== undefined)
      noteState(JSON.parse(textOf(secret, 'state.json')) as StoredState);
  };

  return {
    before: async ({ wire, body }) => {
      if (wire !== 'dns') return;
      for (const [, id = ''] of body.toString('latin1').matchAll(/v=STSv1; id=([A-Za-z0-9]+)/gu)) ids.add(id);
    },
    after: ({ what, body }: Write, done) => {
      if (!done) return;
      accepted.set(what, (accepted.get(what) ?? 0) + 1);
      if (!/^(create|replace) secrets\//u.test(what)) return;
      try {
        noteSecret(JSON.parse(body.toString()) as SecretBody);
      } catch (error) {
        problems.add(`${what} could not be read: ${messageOf(error)}`);
      }
    },
    problems: () => [...problems],
    accepted: (what) => accepted.get(what) ?? 0,
    ids: () => [...ids],
  };
}
