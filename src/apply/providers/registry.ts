import type { DNSProvider } from '../../api/types.ts';
import type { Clock } from '../../clock.ts';
import type { Authorities } from '../../dns/answer.ts';
import { MailsealError } from '../../errors.ts';
import type { MayWrite } from '../../kube/guard.ts';
import type { Kube, SecretObject } from '../../kube/types.ts';
import { granted } from './granted.ts';
import { createProvider } from './index.ts';
import { createLimiter, type Limiter } from './limiter.ts';
import { rememberLists } from './lists.ts';
import type { CallRate, Provider, RecordChange, SetKey } from './provider.ts';

export interface ProvidersOptions {
  readonly kube: Kube;
  /** Where credentials lie. */
  readonly namespace: string;
  readonly find: (name: string) => DNSProvider | undefined;
  readonly clock: Clock;
  /** Asked for what stands, where no API tells. */
  readonly authorities: Authorities;
  /** Asked before each message that changes something. */
  readonly mayWrite?: MayWrite;
  /** Counts calls and the record sets that they change. */
  readonly onCall: (provider: string, call: 'list' | 'apply', sets: number) => void;
}

/** Credentials are read again after this long, and at once when the API refused them. */
const rememberMs = 60_000;

interface Opened {
  /** The spec and the credentials that it was made from. */
  readonly from: string;
  readonly provider: Provider;
}

interface Known {
  readonly spec: string;
  readonly at: number;
  readonly opened: Promise<Opened>;
}

/**
 * Providers by the name of their DNSProvider object, made once and shared.
 * The function returned rejects with MailsealError `ProviderNotFound`, `CredentialsMissing` or `CredentialsInvalid`.
 */
export function createProviders(options: ProvidersOptions): (name: string) => Promise<Provider> {
  const { kube, namespace, clock, mayWrite, authorities } = options;
  const known = new Map<string, Known>();
  /** Kept as long as the program runs: an API counts calls whoever makes them, and with whatever credentials. */
  const limiters = new Map<string, Limiter>();

  const readCredentials = async (object: DNSProvider): Promise<Readonly<Record<string, string>>> => {
    const name = object.spec.credentialsSecretRef?.name;
    if (name === undefined) return {};
    const secret = await kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    if (secret === undefined) {
      const message = `DNSProvider ${object.metadata.name} wants its credentials from Secret ${namespace}/${name}, which does not exist`;
      throw new MailsealError('CredentialsMissing', message, { kind: 'Stalled' });
    }
    return Object.fromEntries(
      Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
    );
  };

  const limiterOf = (name: string, rate: CallRate): Limiter => {
    const key = `${name} ${JSON.stringify(rate)}`;
    const limiter = limiters.get(key) ?? createLimiter(rate);
    limiters.set(key, limiter);
    return limiter;
  };

  const watched = (name: string, provider: Provider): Provider => {
    const { rate, keepsRate } = provider;
    const limiter = rate === undefined || keepsRate === true ? undefined : limiterOf(name, rate);
    const call = async <T>(
      { what, zone, sets }: { readonly what: 'list' | 'apply'; readonly zone: string; readonly sets: number },
      run: () => Promise<T>,
    ): Promise<T> => {
      try {
        const begin = (): Promise<T> => {
          options.onCall(name, what, sets);
          return run();
        };
        return await (limiter === undefined ? begin() : limiter.run(`${what} ${zone}`, begin));
      } catch (error) {
        // The credentials are read again, and where they are the same nothing else is made anew.
        const last = known.get(name);
        if (last !== undefined && error instanceof MailsealError && error.reason === 'ProviderUnauthorized')
          known.set(name, { ...last, at: Number.NEGATIVE_INFINITY });
        throw error;
      }
    };
    const { see } = provider;
    const look = <T>(zone: string, sought: readonly SetKey[], run: () => Promise<T>): Promise<T> =>
      call({ what: 'list', zone, sets: sought.length }, run);
    return {
      ...provider,
      list: (zone, sought) => look(zone, sought, () => provider.list(zone, sought)),
      ...(see !== undefined && { see: (zone, sought) => look(zone, sought, () => see(zone, sought)) }),
      apply: (zone: string, changes: readonly RecordChange[]) =>
        call({ what: 'apply', zone, sets: changes.length }, () => provider.apply(zone, changes)),
    };
  };

  const open = async (object: DNSProvider, before: Promise<Opened> | undefined): Promise<Opened> => {
    const { name } = object.metadata;
    const credentials = await readCredentials(object);
    const from = JSON.stringify([object.spec, credentials]);
    const last = await before?.catch(() => undefined);
    // Its connections, its pace and what it remembers go on.
    if (last?.from === from) return last;
    const limiterFor = (rate: CallRate): Limiter => limiterOf(name, rate);
    const parts = { name, namespace, kube, clock, mayWrite, authorities, limiterFor };
    const made = watched(name, await createProvider(object.spec, credentials, parts));
    const provider = granted(name, rememberLists(made, clock), options.find);
    last?.provider.close?.();
    return { from, provider };
  };

  return async (name) => {
    const object = options.find(name);
    if (object === undefined) {
      throw new MailsealError('ProviderNotFound', `the DNSProvider ${name} does not exist`, { kind: 'Stalled' });
    }
    const spec = JSON.stringify(object.spec);
    const before = known.get(name);
    const isFresh = before?.spec === spec && clock.now() - before.at < rememberMs;
    const opened = isFresh ? before.opened : open(object, before?.opened);
    if (!isFresh) {
      known.set(name, { spec, at: clock.now(), opened });
      opened.catch(() => {
        if (known.get(name)?.opened === opened) known.delete(name);
      });
    }
    return (await opened).provider;
  };
}
