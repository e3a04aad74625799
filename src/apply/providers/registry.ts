import type { DNSProvider } from '../../api/types.ts';
import type { Clock } from '../../clock.ts';
import { MailsealError } from '../../errors.ts';
import type { MayWrite } from '../../kube/guard.ts';
import type { Kube, SecretObject } from '../../kube/types.ts';
import { createProvider } from './index.ts';
import { rememberLists } from './lists.ts';
import type { Provider, RecordChange } from './provider.ts';

export interface ProvidersOptions {
  readonly kube: Kube;
  /** Where credentials lie. */
  readonly namespace: string;
  readonly find: (name: string) => DNSProvider | undefined;
  readonly clock: Clock;
  /** Asked before each message that changes something. */
  readonly mayWrite?: MayWrite;
  /** Counts calls and the record sets that they change. */
  readonly onCall: (provider: string, call: 'list' | 'apply', sets: number) => void;
}

/** Credentials are read again after this long, and at once when the API refused them. */
const rememberMs = 60_000;

interface Known {
  readonly spec: string;
  readonly at: number;
  readonly provider: Promise<Provider>;
}

/**
 * Providers by the name of their DNSProvider object, made once and shared.
 * The function returned rejects with MailsealError `ProviderNotFound`, `CredentialsMissing` or `CredentialsInvalid`.
 */
export function createProviders(options: ProvidersOptions): (name: string) => Promise<Provider> {
  const { kube, namespace, clock, mayWrite } = options;
  const known = new Map<string, Known>();

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

  const watched = (name: string, provider: Provider): Provider => {
    const call = async <T>(what: 'list' | 'apply', sets: number, run: () => Promise<T>): Promise<T> => {
      options.onCall(name, what, sets);
      try {
        return await run();
      } catch (error) {
        if (error instanceof MailsealError && error.reason === 'ProviderUnauthorized') known.delete(name);
        throw error;
      }
    };
    return {
      capabilities: provider.capabilities,
      list: (zone, sought) => call('list', sought.length, () => provider.list(zone, sought)),
      apply: (zone: string, changes: readonly RecordChange[]) =>
        call('apply', changes.length, () => provider.apply(zone, changes)),
    };
  };

  return async (name) => {
    const object = options.find(name);
    if (object === undefined) {
      throw new MailsealError('ProviderNotFound', `the DNSProvider ${name} does not exist`, { kind: 'Stalled' });
    }
    const spec = JSON.stringify(object.spec);
    const before = known.get(name);
    if (before?.spec === spec && clock.now() - before.at < rememberMs) return before.provider;
    const opening = readCredentials(object).then((credentials) =>
      rememberLists(watched(name, createProvider(object.spec, credentials, { clock, mayWrite })), clock),
    );
    known.set(name, { spec, at: clock.now(), provider: opening });
    opening.catch(() => {
      if (known.get(name)?.provider === opening) known.delete(name);
    });
    return opening;
  };
}
