import { defaults } from '../api/defaults.ts';
import type { CertificateIssuer } from '../api/types.ts';
import type { Clock } from '../clock.ts';
import { MailsealError } from '../errors.ts';
import type { MayWrite } from '../kube/guard.ts';
import type { Kube, SecretObject } from '../kube/types.ts';
import { accountNote } from '../plan/account.ts';
import { accountStore } from './accounts.ts';
import type { Acme, AcmeOptions } from './acme.ts';
import type { ExternalAccount } from './acme-account.ts';
import { createOrderPace, limitsOf, type OrderPace } from './acme-pace.ts';
import { createLimiter, type Limiter } from './providers/limiter.ts';
import { rotateAnnotation, watched } from './account-watch.ts';

/** An issuer, ready to issue. */
export type IssuerApi =
  | {
      readonly kind: 'acme';
      readonly name: string;
      readonly acme: Acme;
      /** How policy hosts are proven; DNS01 where it is not said. */
      readonly challenge?: 'DNS01' | 'HTTP01' | undefined;
      /** What a human should know of its account. */
      readonly note?: string;
    }
  | { readonly kind: 'selfSigned'; readonly name: string; readonly years: number }
  | { readonly kind: 'external'; readonly name: string };

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

type AcmeSpec = NonNullable<CertificateIssuer['spec']['acme']>;

/** In the Secret of an external account binding. */
const eabKey = 'hmac-key';

type Paces = Pick<AcmeOptions, 'pace' | 'noncePace'>;

interface Doubt {
  readonly acme: Acme;
  readonly isReplaced: () => Promise<boolean>;
}

export function createIssuers(options: IssuersOptions): Issuers {
  const { kube, namespace } = options;
  const ready = new Map<string, { readonly spec: string; readonly issuer: Promise<IssuerApi> }>();
  /** Kept as long as the program runs, whichever key an account has: the CA counts on. */
  const orderPaces = new Map<string, OrderPace>();
  const noncePaces = new Map<string, Limiter>();
  /** Issuers in doubt: whether the Secret of the account is another by now, or none. */
  const doubts = new Map<string, Doubt>();

  const eabOf = async (name: string, spec: AcmeSpec): Promise<ExternalAccount | undefined> => {
    if (spec.eab === undefined) return undefined;
    const secret = spec.eab.secretRef.name;
    const found = await kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace, name: secret });
    const hmacKey = Buffer.from(found?.data?.[eabKey] ?? '', 'base64')
      .toString('utf8')
      .trim();
    if (/^[A-Za-z0-9_-]+=*$/u.test(hmacKey)) return { kid: spec.eab.keyId, hmacKey };
    const [reason, what] =
      hmacKey === ''
        ? (['CredentialsMissing', `has no "${eabKey}"`] as const)
        : (['CredentialsInvalid', `holds a "${eabKey}" that is not base64url`] as const);
    const which = found === undefined ? 'does not exist' : what;
    const message = `Secret ${namespace}/${secret} ${which}: put the MAC key there that the CA of CertificateIssuer ${name} gave you for ${spec.eab.keyId}`;
    throw new MailsealError(reason, message, { kind: 'Stalled' });
  };

  const pacesOf = (name: string, server: string): Paces => {
    const account = `${name} ${server}`;
    const limits = limitsOf(server);
    const pace = orderPaces.get(account) ?? createOrderPace(limits?.newOrders, options.clock);
    orderPaces.set(account, pace);
    if (limits === undefined) return { pace };
    const noncePace = noncePaces.get(server) ?? createLimiter(limits.nonces);
    noncePaces.set(server, noncePace);
    return { pace, noncePace };
  };

  const openAcme = async (name: string, spec: AcmeSpec, asked: string | undefined): Promise<IssuerApi> => {
    const { createAcme } = await import('./acme.ts');
    const { settledAccount } = await import('./account-steps.ts');
    const store = accountStore(kube, namespace, name, spec.server);
    const clientOf = ({ keyPem, url }: { readonly keyPem: string; readonly url: string | undefined }): Acme =>
      createAcme({
        directoryUrl: spec.server,
        caBundle: spec.caBundle,
        accountKeyPem: keyPem,
        accountUrl: url,
        profile: spec.profile,
        preferredChain: spec.preferredChain,
        onRequest: options.onRequest,
        clock: options.clock,
        mayWrite: options.mayWrite,
        ...pacesOf(name, spec.server),
      });
    const account = await settledAccount({ store, clientOf, asked, email: spec.email, eab: () => eabOf(name, spec) });
    const acme = clientOf(account);
    const onReplaced = (): void => void ready.delete(name);
    const onUnsure = (): void => {
      const isReplaced = async (): Promise<boolean> =>
        (await store.load())?.resourceVersion !== account.resourceVersion;
      // Whoever deletes the Secret is to have a new account with the next look.
      doubts.set(name, { acme, isReplaced });
    };
    const note = accountNote(account);
    const guarded = watched(acme, { account, store, clock: options.clock, onReplaced, onUnsure });
    const { challenge } = spec;
    return { kind: 'acme', name, acme: guarded, challenge, ...(note === undefined ? {} : { note }) };
  };

  const open = async ({ metadata: { name, annotations }, spec }: CertificateIssuer): Promise<IssuerApi> => {
    if (spec.acme !== undefined) return openAcme(name, spec.acme, annotations?.[rotateAnnotation]);
    if (spec.selfSigned !== undefined) {
      return { kind: 'selfSigned', name, years: spec.selfSigned.years ?? defaults.issuer.selfSignedYears };
    }
    if (spec.external !== undefined) return { kind: 'external', name };
    const message = `CertificateIssuer ${name} names none of acme, selfSigned and external`;
    throw new MailsealError('InvalidSpec', message, { kind: 'Stalled' });
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
      const spec = JSON.stringify([issuer.spec, issuer.metadata.annotations?.[rotateAnnotation]]);
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
