/** A key that hosts have already, and that the user gives to Mailseal to begin with. */
import { createPrivateKey } from 'node:crypto';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import { algorithmOfKey, spkiSha256OfKey } from '../pki/certificate.ts';
import type { CertificateInput } from './certificate.ts';
import { spend } from './challenges.ts';
import type { MountedSecret, ObservedHost } from './exchanger.ts';
import { presentedAt } from './presented.ts';
import type { ExchangerState, StoredKey } from './state.ts';

export interface ImportedKey {
  /** The Secret that it was read from. */
  readonly from: string;
  readonly key: StoredKey;
}

/** Whether the user's key can still be the first: nothing of ours is published, and no host was given a key of ours. */
export function mayImport(
  { importFrom }: DesiredExchanger,
  state: ExchangerState | undefined,
  seen: { readonly mounted: MountedSecret; readonly hosts: readonly ObservedHost[] },
  now: number,
): boolean {
  const { mounted, hosts } = seen;
  if (importFrom === undefined || mounted.is === 'Ours' || mounted.is === 'Forbidden') return false;
  if (state === undefined) return true;
  const { phase, published, current } = state.rollover;
  if (state.imported === importFrom || published || phase !== 'Steady') return false;
  return !hosts.some((host) => presentedAt(host, now).some(({ key }) => key === current));
}

/** The key of a PEM text, if Mailseal supports keys of its kind. Never throws. */
export function importableKey(text: string): StoredKey | undefined {
  const algorithm = algorithmOfKey(text);
  if (algorithm === undefined) return undefined;
  const pem = createPrivateKey(text).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { algorithm, pem, spkiSha256: spkiSha256OfKey(pem) };
}

/** The state with the imported key as the current one. An order is bound to a key only when it is finalized. */
export function withImported(
  state: ExchangerState,
  { from, key }: ImportedKey,
  { order: view, challenges }: Pick<CertificateInput, 'order' | 'challenges'>,
): ExchangerState {
  const imported = { ...state, imported: from };
  const { rollover, keys, order } = state;
  if (rollover.current === key.spkiSha256) return imported;
  const next = rollover.next === key.spkiSha256 ? rollover.current : rollover.next;
  const { certificate: _certificate, otherCertificates: _others, order: _order, ...rest } = imported;
  const anew: ExchangerState = {
    ...rest,
    rollover: {
      phase: 'Steady',
      current: key.spkiSha256,
      next,
      published: false,
      // A set that went may be in caches; one that stands is looked at anew, and may well match the key.
      ...(rollover.contradicted?.endedAt === undefined ? {} : { contradicted: rollover.contradicted }),
      nextContradicted: {},
    },
    keys: [key, ...keys.filter(({ spkiSha256 }) => spkiSha256 === next)],
  };
  if (order === undefined) return anew;
  if (view?.status !== 'processing' && view?.status !== 'valid')
    return { ...anew, order: { ...order, spkiSha256: key.spkiSha256 } };
  const { order: _spent, ...without } = spend(challenges, order, { ...anew, order }) as ExchangerState;
  return without;
}
