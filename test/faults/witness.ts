/** Looks at every write as it passes, and says what must never be: a second key, a second certificate, an id too soon. */
import { X509Certificate } from 'node:crypto';
import { messageOf } from '../../src/errors.ts';
import type { Witness, Write } from './gate.ts';
import { fetchAnyway } from './http-door.ts';

export interface Testimony extends Witness {
  /**
   * A scenario begins, with these Secrets in the cluster: each certificate that stands may be followed by another.
   */
  readonly begin: (standing: readonly SecretBody[]) => void;
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
  /** Of a domain's state alone. */
  readonly domain?: string;
  readonly keys?: readonly { readonly spkiSha256: string }[];
  readonly key?: { readonly spkiSha256: string };
  readonly applied?: readonly { readonly name: string; readonly type: string; readonly standing: string }[];
  readonly publications?: readonly { readonly id: string; readonly body: string }[];
}
interface StoredShard {
  readonly hosts: Readonly<Record<string, { readonly certificate: string }>>;
}
interface SecretBody {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** One key of a Secret's data. */
export const textOf = ({ data = {} }: SecretBody, key: string): string =>
  Buffer.from(data[key] ?? '', 'base64').toString('utf8');

/** The certificates that a Secret has hosts or policy pods show. */
function chainsOf(secret: SecretBody): readonly string[] {
  if (secret.type === 'kubernetes.io/tls') return [textOf(secret, 'tls.crt')];
  if (secret.type !== 'mailseal.dev/policy-shard') return [];
  const { hosts } = JSON.parse(textOf(secret, 'shard.json')) as StoredShard;
  return Object.values(hosts).map(({ certificate }) => certificate);
}

/** One key of a domain, and of an exchanger one beside its successor, is all that these scenarios need. */
const mostKeys = (kind: string): number => (kind === 'domain' ? 1 : 2);

/** @param policyServers their addresses. */
export function createTestimony(policyServers: readonly string[]): Testimony {
  const problems = new Set<string>();
  const accepted = new Map<string, number>();
  const ids = new Set<string>();
  const keys = new Map<string, Set<string>>();
  /** Those of earlier scenarios, and those of this one by their names. */
  const earlier = new Set<string>();
  const certificates = new Map<string, Set<string>>();
  const publications = new Map<string, { readonly domain: string; readonly body: string }>();

  const noteState = ({ kind, namespace, name, domain, ...state }: StoredState): void => {
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
    for (const { id, body } of state.publications ?? []) publications.set(id, { domain: domain ?? '', body });
  };
  const noteCertificate = (chain: string): void => {
    const { fingerprint256, subjectAltName: names = '' } = new X509Certificate(chain);
    if (earlier.has(fingerprint256)) return;
    const all = (certificates.get(names) ?? new Set()).add(fingerprint256);
    certificates.set(names, all);
    if (all.size > 1) problems.add(`${all.size} certificates for ${names} were installed`);
  };
  const noteSecret = (secret: SecretBody): void => {
    // An issuer's account lies in a Secret of the same type.
    if (secret.type === 'mailseal.dev/state' && secret.data?.['state.json'] !== undefined)
      noteState(JSON.parse(textOf(secret, 'state.json')) as StoredState);
    for (const chain of chainsOf(secret)) noteCertificate(chain);
  };

  /** What a policy server shows at this moment; nothing where it shows none. */
  const served = async (domain: string, address: string): Promise<string | undefined> => {
    try {
      return await fetchAnyway(`https://mta-sts.${domain}/.well-known/mta-sts.txt`, address, 443);
    } catch {
      return undefined; // That it is silent is what counts: the id must not be announced.
    }
  };

  /** I2: before an id may be shown, its body is served by every policy server. */
  const noteAnnouncement = async (id: string): Promise<void> => {
    if (ids.has(id)) return;
    ids.add(id);
    const wanted = publications.get(id);
    if (wanted === undefined) return void problems.add(`the id ${id} was announced before it was stored`);
    const bodies = await Promise.all(policyServers.map((address) => served(wanted.domain, address)));
    bodies.forEach((body, index) => {
      if (body === wanted.body) return;
      problems.add(`the id ${id} was announced while ${policyServers[index]} served ${JSON.stringify(body)}`);
    });
  };

  return {
    begin: (standing) => {
      for (const chain of standing.flatMap(chainsOf)) earlier.add(new X509Certificate(chain).fingerprint256);
      certificates.clear();
    },
    before: async ({ wire, body }) => {
      if (wire !== 'dns') return;
      const found = [...body.toString('latin1').matchAll(/v=STSv1; id=([A-Za-z0-9]+)/gu)];
      await Promise.all(found.map(([, id = '']) => noteAnnouncement(id)));
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
