import { apiVersion } from '../api/types.ts';
import type { Clock } from '../clock.ts';
import { MailsealError } from '../errors.ts';
import type { ConfigMapObject, Kube } from '../kube/types.ts';
import { hasReason } from '../kube/error.ts';
import { hashedName } from './store.ts';

/** Who holds a domain or a host; a Retirement has the namespace and name of the object that was deleted. */
export interface Claimant {
  readonly kind: 'MailDomain' | 'MailExchanger' | 'Retirement';
  readonly namespace: string;
  readonly name: string;
}

/**
 * Durable claims: a domain or an MX host belongs to one object. A claim is created atomically and named by a hash of
 * the A-label, so that whoever comes second is told, on every look and after every restart the same way. A domain and
 * the host name where its policy is served are one claim.
 */
export interface Claims {
  /**
   * Takes it from nobody, or back from the retirement of an object of the same name. Whoever else waits for it goes on
   * waiting: what it would make of a policy that senders still hold nobody knows.
   * @param rightful asked only where the claim was lost or spoilt: whose it is by what else is known of it; undefined is
   *   nobody's. It is made anew for that object.
   * @param believedMs milliseconds for which a claim that was seen is believed to stand. Default ten minutes.
   * @throws MailsealError `Conflict`, naming the holder's kind and not its namespace; `StateUnreadable` where another
   *   version wrote it.
   */
  readonly hold: (
    what: 'domain' | 'host',
    name: string,
    claimant: Claimant,
    rightful?: () => Promise<Claimant | undefined>,
    believedMs?: number,
  ) => Promise<void>;
  /** Makes sure that nobody in another namespace holds it. @throws MailsealError `Conflict`. */
  readonly share: (what: 'domain' | 'host', name: string, claimant: Claimant, believedMs?: number) => Promise<void>;
  /**
   * Leaves it to the retirement of the claimant, so that nobody else takes it before that has ended. False: it is someone
   * else's or nobody's, and nothing was written.
   * @param known the claimant is known to have had it: a claim that was lost is made anew.
   */
  readonly pass: (what: 'domain' | 'host', name: string, claimant: Claimant, known: boolean) => Promise<boolean>;
  /** Gives up a claim that `claimant` holds; anyone else's is left alone. Whether it was held. */
  readonly release: (what: 'domain' | 'host', name: string, claimant: Claimant) => Promise<boolean>;
  /** The retirement that holds it, by the object that was deleted; undefined where none does. */
  readonly retiring: (what: 'domain' | 'host', name: string) => Promise<Claimant | undefined>;
  /** All that retirements hold, by the names that were claimed. */
  readonly inherited: () => Promise<readonly Inherited[]>;
}

export interface Inherited {
  readonly what: 'domain' | 'host';
  readonly name: string;
  readonly heir: Claimant;
}

const formatVersion = '1';
/** A claim that was seen is looked at again after this time: someone may have altered it by hand. */
const trustedMs = 10 * 60_000;
const claimantKinds = ['MailDomain', 'MailExchanger', 'Retirement'] as const;

/** Where a claim lies. The address of a policy host is written for its domain: one of both is all that can be claimed. */
function placeOf(what: 'domain' | 'host', name: string): { readonly what: 'domain' | 'host'; readonly name: string } {
  const prefix = 'mta-sts.';
  return what === 'host' && name.startsWith(prefix)
    ? { what: 'domain', name: name.slice(prefix.length) }
    : { what, name };
}

/** The holder; undefined where the claim was spoilt. */
function holderOf({ data = {} }: ConfigMapObject): Claimant | undefined {
  const kind = claimantKinds.find((one) => one === data['kind']);
  const { namespace, name } = data;
  return kind === undefined || !namespace || !name ? undefined : { kind, namespace, name };
}

const sameObject = (a: Claimant, b: Claimant): boolean => a.namespace === b.namespace && a.name === b.name;
const same = (a: Claimant, b: Claimant): boolean => a.kind === b.kind && sameObject(a, b);
/** Whether the claim is that of the retirement of an object by the claimant's own name. */
const retired = (holder: Claimant, claimant: Claimant): boolean =>
  claimant.kind !== 'Retirement' && holder.kind === 'Retirement' && sameObject(holder, claimant);

interface Found {
  readonly claim: ConfigMapObject;
  readonly holder: Claimant | undefined;
}

export function createClaims(kube: Kube, namespace: string, clock: Clock): Claims {
  /** When claims were last seen to be as they should. */
  const seen = new Map<string, number>();
  const refOf = (what: 'domain' | 'host', name: string): { name: string; namespace: string } => {
    const place = placeOf(what, name);
    return { name: hashedName(`mailseal-claim-${place.what}`, place.name), namespace };
  };
  const keyOf = (what: string, name: string, claimant: Claimant): string =>
    `${what} ${name} ${claimant.kind} ${claimant.namespace}/${claimant.name}`;
  const isFresh = (key: string, believedMs: number): boolean =>
    clock.now() - (seen.get(key) ?? Number.NEGATIVE_INFINITY) < believedMs;
  const note = (key: string): void => {
    seen.delete(key);
    seen.set(key, clock.now());
    // The oldest come first: nobody asks for them any more.
    for (const [old, at] of seen) {
      if (clock.now() - at < trustedMs) break;
      seen.delete(old);
    }
  };

  const read = async (what: 'domain' | 'host', name: string): Promise<Found | undefined> => {
    const ref = refOf(what, name);
    const claim = await kube.get<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', ...ref });
    if (claim === undefined) return undefined;
    const version = claim.data?.['formatVersion'];
    if (version !== undefined && version !== formatVersion && /^[0-9]{1,9}$/u.test(version)) {
      const message = `ConfigMap ${namespace}/${ref.name} says who has ${name}, in format ${version}: run the version of Mailseal that wrote it`;
      throw new MailsealError('StateUnreadable', message, { kind: 'Stalled' });
    }
    return { claim, holder: holderOf(claim) };
  };
  /** Creates it, or replaces the one that was found, and that only. */
  const write = async (
    what: 'domain' | 'host',
    name: string,
    holder: Claimant,
    before: Found | undefined,
  ): Promise<Found | undefined> => {
    const version = before?.claim.metadata.resourceVersion;
    const claim: ConfigMapObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        ...refOf(what, name),
        labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/claim': what },
        ...(version === undefined ? {} : { resourceVersion: version }),
      },
      data: { formatVersion, claimed: name, ...holder },
    };
    try {
      return { claim: await (before === undefined ? kube.create(claim) : kube.replace(claim)), holder };
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) return read(what, name);
      throw error;
    }
  };

  /** @throws MailsealError `Conflict`, with what to do about it. */
  const refuse = async (what: 'domain' | 'host', name: string, found: Found | undefined): Promise<never> => {
    const exists = found?.holder === undefined || (await isThere(kube, found.holder));
    throw new MailsealError('Conflict', conflictWords(what, name, found, exists, refOf(what, name).name), {
      kind: 'Stalled',
    });
  };

  const hold: Claims['hold'] = async (what, name, claimant, rightful, believedMs = trustedMs) => {
    const key = keyOf(what, name, claimant);
    // A retirement can be ended by someone else's hand: it asks each time.
    if (isFresh(key, believedMs) && claimant.kind !== 'Retirement') return;
    const before = await read(what, name);
    const lost = before?.holder === undefined;
    const back = before?.holder !== undefined && retired(before.holder, claimant);
    const heir = lost ? ((await rightful?.()) ?? claimant) : claimant;
    const found = lost || back ? await write(what, name, heir, before) : before;
    seen.delete(key);
    if (found?.holder === undefined || !same(found.holder, claimant)) return refuse(what, name, found);
    note(key);
  };

  const share: Claims['share'] = async (what, name, claimant, believedMs = trustedMs) => {
    const key = `share ${keyOf(what, name, claimant)}`;
    if (isFresh(key, believedMs)) return;
    const found = await read(what, name);
    if (found?.holder !== undefined && found.holder.namespace !== claimant.namespace) return refuse(what, name, found);
    note(key);
  };

  const pass: Claims['pass'] = async (what, name, claimant, known) => {
    seen.delete(keyOf(what, name, claimant));
    const heir: Claimant = { ...claimant, kind: 'Retirement' };
    const before = await read(what, name);
    const found = before?.holder === undefined && known ? await write(what, name, heir, before) : before;
    if (found?.holder === undefined) return false;
    if (same(found.holder, heir)) return true;
    if (!same(found.holder, claimant)) return false;
    await write(what, name, heir, found);
    return true;
  };

  const release: Claims['release'] = async (what, name, claimant) => {
    seen.delete(keyOf(what, name, claimant));
    const found = await read(what, name);
    if (found?.holder === undefined || !same(found.holder, claimant)) return false;
    const { resourceVersion } = found.claim.metadata;
    await kube.remove(
      { apiVersion: 'v1', kind: 'ConfigMap', ...refOf(what, name) },
      resourceVersion === undefined ? undefined : { resourceVersion },
    );
    return true;
  };

  const retiring: Claims['retiring'] = async (what, name) => {
    const holder = (await read(what, name))?.holder;
    return holder?.kind === 'Retirement' ? holder : undefined;
  };

  const inherited: Claims['inherited'] = async () => {
    const labelSelector = 'app.kubernetes.io/managed-by=mailseal,mailseal.dev/claim';
    const all = await kube.list<ConfigMapObject>({ apiVersion: 'v1', kind: 'ConfigMap', namespace, labelSelector });
    return all.flatMap((claim) => {
      const what = claim.metadata.labels?.['mailseal.dev/claim'];
      const { formatVersion: version, claimed: name } = claim.data ?? {};
      const heir = holderOf(claim);
      if ((what !== 'domain' && what !== 'host') || version !== formatVersion || name === undefined) return [];
      return heir?.kind === 'Retirement' ? [{ what, name, heir }] : [];
    });
  };
  return { hold, share, pass, release, retiring, inherited };
}

async function isThere(kube: Kube, { kind, namespace, name }: Claimant): Promise<boolean> {
  // A retirement lies with the operator under a hashed name, and ends its claims itself.
  if (kind === 'Retirement') return true;
  return (await kube.get({ apiVersion, kind, namespace, name })) !== undefined;
}

/** Whose it is, by kind alone, and who mends that. */
function conflictWords(
  what: 'domain' | 'host',
  name: string,
  found: Found | undefined,
  exists: boolean,
  claim: string,
): string {
  const kind = found?.holder?.kind ?? 'object';
  const where = `(ConfigMap ${claim} in the namespace of the operator)`;
  if (kind === 'Retirement') {
    return `${name} is still being retired for an object that was deleted: wait, or make that object again where it was`;
  }
  const claimed = found?.claim.data?.['claimed'] ?? name;
  if (claimed !== name) {
    return what === 'host'
      ? `${name} is where the policy of ${claimed} is served, which belongs to another ${kind}: give the MX host another name`
      : `${claimed}, where the policy of ${name} would be served, belongs to another ${kind} as an MX host: that host needs another name first ${where}`;
  }
  if (!exists) {
    return `${name} belongs to another ${kind} that does not exist any more: make that object again where it was, or let an administrator withdraw what it published and remove its claim ${where}`;
  }
  return `${name} belongs to another ${kind} already; ask your administrator ${where}, or refer to it instead of naming it again`;
}
