import { createHash } from 'node:crypto';
import { createAging } from '../aging.ts';
import type { Clock } from '../clock.ts';
import { MailsealError, messageOf } from '../errors.ts';
import type { Kube, Ref, SecretObject } from '../kube/types.ts';
import { formatState, parseState, type State } from '../plan/state.ts';

/** A stored state with the version that the next write must still find. */
export interface Loaded<S extends State> {
  readonly state: S;
  readonly resourceVersion: string;
}

/** Durable state in Secrets of the operator's namespace. */
export interface Store {
  /**
   * @param askedAt milliseconds since 1970: what was written before it is read again. Default never.
   * @throws MailsealError `StateUnreadable`: it is there and can't be read; nothing may be written over it.
   */
  readonly load: <K extends State['kind']>(
    kind: K,
    identity: string,
    askedAt?: number,
  ) => Promise<Loaded<Extract<State, { kind: K }>> | undefined>;
  /**
   * Compare-and-swap: creates without `resourceVersion`, replaces with it; gives the new version.
   * @throws KubeError `Conflict` or `AlreadyExists`: someone else wrote; load again.
   */
  readonly save: (state: State, identity: string, resourceVersion: string | undefined) => Promise<string>;
  /** Removes a state that nothing depends on any more, if it is still of this version. @throws KubeError `Conflict`. */
  readonly remove: (kind: State['kind'], identity: string, resourceVersion: string) => Promise<void>;
}

const dataKey = 'state.json';

/** `exchanger:NAMESPACE/NAME` or the domain: what a state belongs to, and its Secret's name is hashed from. */
export function identityOf(state: Pick<State, 'kind' | 'namespace' | 'name'> & { readonly domain?: string }): string {
  return state.kind === 'domain' ? (state.domain ?? '') : `${state.namespace}/${state.name}`;
}

/** A short name that any identity fits into. */
export function hashedName(prefix: string, identity: string): string {
  return `${prefix}-${createHash('sha256').update(identity).digest('hex').slice(0, 20)}`;
}

/** Milliseconds for which what we wrote ourselves is not read again: steps that follow each other at once share it. */
const ownMs = 10_000;

interface Written {
  readonly at: number;
  readonly text: string;
  readonly resourceVersion: string;
}

/** With a clock it goes for a moment by what it wrote itself; whoever wrote meanwhile makes the next write fail. */
export function createStore(kube: Kube, namespace: string, clock?: Clock): Store {
  const written = clock && createAging<Written>(clock, ownMs);
  const refOf = (kind: State['kind'], identity: string): Ref => ({
    apiVersion: 'v1',
    kind: 'Secret',
    namespace,
    name: hashedName(`mailseal-${kind}`, identity),
  });
  const load: Store['load'] = async (kind, identity, askedAt = Number.NEGATIVE_INFINITY) => {
    const mine = written?.get(`${kind} ${identity}`);
    if (mine !== undefined && mine.at > askedAt)
      return { state: parseState(kind, mine.text), resourceVersion: mine.resourceVersion };
    const ref = refOf(kind, identity);
    const secret = await kube.get<SecretObject>(ref);
    if (secret === undefined) return undefined;
    try {
      const text = Buffer.from(secret.data?.[dataKey] ?? '', 'base64').toString('utf8');
      const state = parseState(kind, text);
      if (identityOf(state) !== identity) throw new Error(`the stored state is of ${identityOf(state)}`);
      return { state, resourceVersion: secret.metadata.resourceVersion ?? '' };
    } catch (error) {
      throw new MailsealError(
        'StateUnreadable',
        `Secret ${namespace}/${ref.name} holds the durable state of ${identity} and can't be read: ${messageOf(error)}. ` +
          'Restore it from a backup, run the version of Mailseal that wrote it, or delete it to go on as if it were lost ' +
          '(docs/restore.md); nothing is written over it',
        { kind: 'Stalled', cause: error },
      );
    }
  };
  const save: Store['save'] = async (state, identity, before) => {
    const text = formatState(state);
    const key = `${state.kind} ${identity}`;
    written?.delete(key);
    const resourceVersion = await write(state.kind, identity, text, before);
    if (clock !== undefined) written?.set(key, { at: clock.now(), text, resourceVersion });
    return resourceVersion;
  };
  const write = async (
    kind: State['kind'],
    identity: string,
    text: string,
    resourceVersion: string | undefined,
  ): Promise<string> => {
    const { name } = refOf(kind, identity);
    const secret: SecretObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/state': kind },
        annotations: { 'mailseal.dev/of': identity },
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      type: 'mailseal.dev/state',
      data: { [dataKey]: Buffer.from(text, 'utf8').toString('base64') },
    };
    const written = resourceVersion === undefined ? await kube.create(secret) : await kube.replace(secret);
    return written.metadata.resourceVersion ?? '';
  };
  const remove: Store['remove'] = (kind, identity, resourceVersion) => {
    written?.delete(`${kind} ${identity}`);
    return kube.remove(refOf(kind, identity), { resourceVersion });
  };
  return { load, save, remove };
}
