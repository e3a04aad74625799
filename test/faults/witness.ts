/** Looks at every write as it passes, and says what must never be: a second key, a second certificate, an id too soon. */
import { X509Certificate } from 'node:crypto';
import { messageOf } from '../../src/errors.ts';
import type { Witness, Write } from './gate.ts';
import { fetchAnyway } from './http-door.ts';

export interface Testimony extends Witness {
  /** What was wrong with the writes so far, as sentences. */
  readonly problems: () => readonly string[];
  /** What the server did, of what an operator asked it for. */
  readonly accepted: (what: string) => number;
  /** Ids in the order in which they were announced. */
  readonly ids: () => readonly string[];
}

/** What we read of the operator's Secrets. */
interface StoredState {
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

export interface WitnessSpec {
  readonly domain: string;
  /** Addresses of the policy servers. */
  readonly policyServers: readonly string[];
}

export function createTestimony({ domain, policyServers }: WitnessSpec): Testimony {
  const problems = new Set<string>();
  const accepted = new Map<string, number>();
  const ids: string[] = [];
  const keys = { exchanger: new Set<string>(), domain: new Set<string>() };
  const certificates = new Map<string, Set<string>>();
  let publications: readonly { readonly id: string; readonly body: string }[] = [];

  const noteKey = (of: 'exchanger' | 'domain', most: number, spki: string): void => {
    keys[of].add(spki);
    if (keys[of].size > most) problems.add(`${keys[of].size} keys of the ${of} were stored, at most ${most} may be`);
  };
  const noteState = (state: StoredState): void => {
    for (const { spkiSha256 } of state.keys ?? []) noteKey('exchanger', 2, spkiSha256);
    if (state.key !== undefined) noteKey('domain', 1, state.key.spkiSha256);
    for (const { name, type, standing } of state.applied ?? []) {
      if (standing === 'Found') problems.add(`${name} ${type} of ours is taken for somebody else's`);
    }
    publications = state.publications ?? publications;
  };
  const noteCertificate = (chain: string): void => {
    const leaf = new X509Certificate(chain);
    const names = leaf.subjectAltName ?? '';
    const all = (certificates.get(names) ?? new Set()).add(leaf.fingerprint256);
    certificates.set(names, all);
    if (all.size > 1) problems.add(`${all.size} certificates for ${names} were installed`);
  };
  const noteSecret = ({ type, data = {} }: SecretBody): void => {
    const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('utf8');
    // An issuer's account lies in a Secret of the same type.
    if (type === 'mailseal.dev/state' && 'state.json' in data) noteState(JSON.parse(text('state.json')) as StoredState);
    if (type === 'kubernetes.io/tls') noteCertificate(text('tls.crt'));
    if (type !== 'mailseal.dev/policy-shard') return;
    const { hosts } = JSON.parse(text('shard.json')) as StoredShard;
    for (const { certificate } of Object.values(hosts)) noteCertificate(certificate);
  };

  /** What a policy server shows at this moment; nothing where it shows none. */
  const served = async (address: string): Promise<string | undefined> => {
    try {
      return await fetchAnyway(`https://mta-sts.${domain}/.well-known/mta-sts.txt`, address, 443);
    } catch {
      return undefined; // That it is silent is what counts: the id must not be announced.
    }
  };

  /** I2: before an id may be shown, its body is served by every policy server. */
  const noteAnnouncement = async (id: string): Promise<void> => {
    if (ids.at(-1) === id) return;
    if (ids.includes(id)) problems.add(`the id ${id} was announced again`);
    ids.push(id);
    const wanted = publications.find((one) => one.id === id);
    if (wanted === undefined) return void problems.add(`the id ${id} was announced before it was stored`);
    const bodies = await Promise.all(policyServers.map(served));
    bodies.forEach((body, index) => {
      if (body === wanted.body) return;
      problems.add(`the id ${id} was announced while ${policyServers[index]} served ${JSON.stringify(body)}`);
    });
  };

  return {
    before: async ({ wire, body }) => {
      if (wire !== 'dns') return;
      // Conditions come before changes: the last id in the message is the one that is to stand.
      const found = [...body.toString('latin1').matchAll(/v=STSv1; id=([A-Za-z0-9]+)/gu)].at(-1)?.[1];
      if (found !== undefined && found !== ids.at(-1)) await noteAnnouncement(found);
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
    ids: () => ids,
  };
}
