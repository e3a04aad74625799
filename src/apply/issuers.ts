import { defaults } from '../api/defaults.ts';
import type { CertificateIssuer } from '../api/types.ts';
import type { Clock } from '../clock.ts';
import { MailsealError, messageOf } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { MayWrite } from '../kube/guard.ts';
import type { Kube, SecretObject } from '../kube/types.ts';
import { formatAccount, parseAccount, type StoredAccount } from '../plan/account.ts';
import type { Acme } from './acme.ts';
import { problemTypeOf } from './acme-problem.ts';
import { hashedName } from './store.ts';

/** An issuer, ready to issue. */
export type IssuerApi =
  | { readonly kind: 'acme'; readonly name: string; readonly acme: Acme }
  | { readonly kind: 'selfSigned'; readonly name: string; readonly years: number };

export interface Issuers {
  /**
   * The issuer by its name; registers the ACME account on first use.
   * @throws MailsealError `IssuerNotFound`, `InvalidSpec`, or what the ACME server said.
   */
  readonly get: (name: string) => Promise<IssuerApi>;
}

export interface IssuersOptions {
  readonly kube: Kube;
  readonly namespace: string;
  readonly find: (name: string) => CertificateIssuer | undefined;
  readonly clock: Clock;
  /** Asked before each request that is more than a question. */
  readonly mayWrite?: MayWrite;
  /** Counts requests by method and resource. */
  readonly onRequest: (method: string, resource: string) => void;
}

interface Account extends StoredAccount {
  readonly resourceVersion: string | undefined;
}

interface AccountWatch {
  /** The CA does not know the account any more. */
  readonly onLost: () => Promise<void>;
  /** It refuses an order in a way that may be about the account; returns what else is to be said. */
  readonly onDoubt: () => string;
}

/** The same, but that tells when the account is no longer good at the CA. */
function watched(acme: Acme, { onLost, onDoubt }: AccountWatch): Acme {
  const watch =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      try {
        return await call(...args);
      } catch (error) {
        if (problemTypeOf(error) === 'accountDoesNotExist') await onLost();
        throw error;
      }
    };
  const newOrder: Acme['newOrder'] = async (...args) => {
    try {
      return await acme.newOrder(...args);
    } catch (error) {
      // RFC 8555 §7.3.6: of a deactivated account all requests are unauthorized; of one with another key they are malformed.
      const doubtful = ['unauthorized', 'malformed'].includes(problemTypeOf(error) ?? '');
      if (!doubtful || !(error instanceof MailsealError)) throw error;
      const { reason, message, kind, retryAfterSeconds, cause } = error;
      throw new MailsealError(reason, `${message} ${onDoubt()}`, { kind, retryAfterSeconds, cause });
    }
  };
  return {
    ...acme,
    newOrder: watch(newOrder),
    answer: watch(acme.answer),
    poll: watch(acme.poll),
    finalize: watch(acme.finalize),
    certificate: watch(acme.certificate),
  };
}

interface Doubt {
  readonly acme: Acme;
  readonly isReplaced: () => Promise<boolean>;
}

export function createIssuers(options: IssuersOptions): Issuers {
  const { kube, namespace } = options;
  const ready = new Map<string, { readonly spec: string; readonly issuer: Promise<IssuerApi> }>();
  /** Issuers in doubt: whether the Secret of the account is another by now, or none. */
  const doubts = new Map<string, Doubt>();

  const secretFor = (name: string, server: string, account: Account): SecretObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: hashedName('mailseal-issuer', `${name} ${server}`),
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/state': 'issuer' },
      annotations: { 'mailseal.dev/of': name },
      ...(account.resourceVersion === undefined ? {} : { resourceVersion: account.resourceVersion }),
    },
    type: 'mailseal.dev/state',
    data: { 'account.json': Buffer.from(formatAccount(server, account)).toString('base64') },
  });

  const loadAccount = async (name: string, server: string): Promise<Account | undefined> => {
    const { metadata } = secretFor(name, server, { keyPem: '', url: undefined, resourceVersion: undefined });
    const secret = await kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace, name: metadata.name });
    if (secret === undefined) return undefined;
    try {
      const text = Buffer.from(secret.data?.['account.json'] ?? '', 'base64').toString('utf8');
      return { ...parseAccount(text, server), resourceVersion: secret.metadata.resourceVersion };
    } catch (error) {
      const where = `Secret ${namespace}/${metadata.name} (the ACME account of CertificateIssuer ${name})`;
      const mend = 'Restore it from a backup, or delete it to register a new account; nothing is written over it';
      const message = `${where} can't be read: ${messageOf(error)}. ${mend}`;
      throw new MailsealError('StateUnreadable', message, { kind: 'Stalled', cause: error });
    }
  };

  /** The account's key is stored before the CA hears of it (RFC 8555 §7.3: the same key gives the same account). */
  const openAccount = async (name: string, server: string): Promise<Account> => {
    const found = await loadAccount(name, server);
    if (found !== undefined) return found;
    const { newAccountKey } = await import('./acme.ts');
    const account: Account = { keyPem: newAccountKey(), url: undefined, resourceVersion: undefined };
    try {
      const written = await kube.create(secretFor(name, server, account));
      return { ...account, resourceVersion: written.metadata.resourceVersion };
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
      const other = await loadAccount(name, server);
      if (other === undefined) throw error;
      return other;
    }
  };

  /** What the CA no longer knows is registered anew, with the same key, when the issuer is next asked for. */
  const loseAccount = async (name: string, server: string, url: string): Promise<void> => {
    const account = await loadAccount(name, server);
    // Another that failed with the same account may have been here already.
    if (account?.url !== url) return;
    try {
      await kube.replace(secretFor(name, server, { ...account, url: undefined }));
      ready.delete(name);
    } catch (error) {
      if (!hasReason(error, 'Conflict')) throw error;
    }
  };

  const openAcme = async (name: string, spec: NonNullable<CertificateIssuer['spec']['acme']>): Promise<IssuerApi> => {
    const { createAcme } = await import('./acme.ts');
    const account = await openAccount(name, spec.server);
    const acme = createAcme({
      directoryUrl: spec.server,
      caBundle: spec.caBundle,
      accountKeyPem: account.keyPem,
      accountUrl: account.url,
      profile: spec.profile,
      onRequest: options.onRequest,
      clock: options.clock,
      mayWrite: options.mayWrite,
    });
    const url = account.url ?? (await acme.register({ email: spec.email }));
    const resourceVersion =
      account.url === undefined
        ? (await kube.replace(secretFor(name, spec.server, { ...account, url }))).metadata.resourceVersion
        : account.resourceVersion;
    const isReplaced = async (): Promise<boolean> =>
      (await loadAccount(name, spec.server))?.resourceVersion !== resourceVersion;
    const onDoubt = (): string => {
      // Whoever deletes the Secret is to have a new account with the next look.
      doubts.set(name, { acme, isReplaced });
      const secret = secretFor(name, spec.server, account).metadata.name;
      return `If it no longer accepts our account, delete Secret ${namespace}/${secret}: a new account is registered then.`;
    };
    return { kind: 'acme', name, acme: watched(acme, { onLost: () => loseAccount(name, spec.server, url), onDoubt }) };
  };

  const open = async ({ metadata: { name }, spec }: CertificateIssuer): Promise<IssuerApi> => {
    if (spec.acme !== undefined) return openAcme(name, spec.acme);
    if (spec.selfSigned !== undefined) {
      return { kind: 'selfSigned', name, years: spec.selfSigned.years ?? defaults.issuer.selfSignedYears };
    }
    throw new MailsealError('InvalidSpec', `CertificateIssuer ${name} names neither acme nor selfSigned`, {
      kind: 'Stalled',
    });
  };

  /** Only one whose Secret someone has replaced is opened anew: many domains share it, and a refusal is mostly about one. */
  const settleDoubt = async (name: string): Promise<void> => {
    const doubt = doubts.get(name);
    if (doubt === undefined) return;
    const replaced = await doubt.isReplaced();
    // Another may have settled it meanwhile, and opened the next.
    if (doubts.get(name) !== doubt) return;
    doubts.delete(name);
    if (!replaced) return;
    ready.delete(name);
    await doubt.acme.close();
  };

  return {
    get: async (name) => {
      await settleDoubt(name);
      const issuer = options.find(name);
      if (issuer === undefined) {
        throw new MailsealError('IssuerNotFound', `the CertificateIssuer ${name} does not exist`, { kind: 'Stalled' });
      }
      const spec = JSON.stringify(issuer.spec);
      const known = ready.get(name);
      if (known?.spec === spec) return known.issuer;
      const opening = open(issuer);
      ready.set(name, { spec, issuer: opening });
      opening.catch(() => {
        if (ready.get(name)?.issuer === opening) ready.delete(name);
      });
      return opening;
    },
  };
}
