/** ACME accounts in the operator's namespace, one Secret for each issuer and server. */
import { MailsealError, messageOf } from '../errors.ts';
import { hasReason } from '../kube/error.ts';
import type { Kube, SecretObject } from '../kube/types.ts';
import { formatAccount, parseAccount, type StoredAccount } from '../plan/account.ts';
import { newAccountKey } from './acme-keys.ts';
import { hashedName } from './store.ts';

export interface Account extends StoredAccount {
  readonly resourceVersion: string | undefined;
}

/** Of one issuer at one server. */
export interface AccountStore {
  /** NAMESPACE/NAME of its Secret. */
  readonly place: string;
  /** @throws MailsealError StateUnreadable. */
  readonly load: () => Promise<Account | undefined>;
  /** Loads it; where there is none, one with a new key is stored before the CA hears of it. */
  readonly open: () => Promise<Account>;
  /** Compare and swap; the account as it now stands. */
  readonly save: (account: Account) => Promise<Account>;
}

export function accountStore(kube: Kube, namespace: string, issuer: string, server: string): AccountStore {
  const name = hashedName('mailseal-issuer', `${issuer} ${server}`);
  const secretOf = ({ resourceVersion, ...account }: Account): SecretObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/state': 'issuer' },
      annotations: { 'mailseal.dev/of': issuer },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type: 'mailseal.dev/state',
    data: { 'account.json': Buffer.from(formatAccount(server, account)).toString('base64') },
  });

  const load: AccountStore['load'] = async () => {
    const secret = await kube.get<SecretObject>({ apiVersion: 'v1', kind: 'Secret', namespace, name });
    if (secret === undefined) return undefined;
    try {
      const text = Buffer.from(secret.data?.['account.json'] ?? '', 'base64').toString('utf8');
      return { ...parseAccount(text, server), resourceVersion: secret.metadata.resourceVersion };
    } catch (error) {
      const where = `Secret ${namespace}/${name} (the ACME account of CertificateIssuer ${issuer})`;
      const mend = 'Restore it from a backup, or delete it to register a new account; nothing is written over it';
      const message = `${where} can't be read: ${messageOf(error)}. ${mend}`;
      throw new MailsealError('StateUnreadable', message, { kind: 'Stalled', cause: error });
    }
  };

  const open: AccountStore['open'] = async () => {
    const found = await load();
    if (found !== undefined) return found;
    // RFC 8555 §7.3: the same key gives the same account, so that a crash makes no second one.
    const account: Account = { keyPem: newAccountKey(), url: undefined, resourceVersion: undefined };
    try {
      const written = await kube.create(secretOf(account));
      return { ...account, resourceVersion: written.metadata.resourceVersion };
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
      const other = await load();
      if (other === undefined) throw error;
      return other;
    }
  };

  const save: AccountStore['save'] = async (account) => {
    const written = await kube.replace(secretOf(account));
    return { ...account, resourceVersion: written.metadata.resourceVersion };
  };

  return { place: `${namespace}/${name}`, load, open, save };
}
