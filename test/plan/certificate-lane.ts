/** Certificates of MX hosts as a model has them: their age is all that counts, and a chain is a word. */
import type { MountedSecret } from '../../src/plan/exchanger.ts';
import type { ExchangerState, StoredCertificate } from '../../src/plan/state.ts';
import { now } from './cases.ts';

/** Thirds of a lifetime of three: after two a renewal is due, after three the certificate has ended. */
export const tickMs: number = 30 * 86_400_000;
export const due = 2;
export const ended = 3;

export type OrderStatus = 'pending' | 'ready' | 'processing' | 'valid' | 'invalid' | 'gone';

export interface World {
  /** What is stored; its times are as if it were always `now`. */
  readonly state: ExchangerState;
  readonly secret: MountedSecret;
  /** How the order that the state knows stands at the CA. */
  readonly atCa: OrderStatus | undefined;
  /** What this run of the operator knows of it. */
  readonly run: 'Nothing' | 'Created' | 'Answered';
  readonly away: boolean;
  /** Since a renewal of what is served was due, the CA has been away, or has refused or lost an order. */
  readonly excused: boolean;
}

export const names: readonly string[] = ['mx1.example.com'];
const text = ({ data = {} }: { readonly data?: Readonly<Record<string, string>> }, field: string): string =>
  Buffer.from(data[field] ?? '', 'base64').toString('utf8');

/** The certificate that lies in the Secret, by the text that this model gives to chains. */
export function servedBy(
  secret: MountedSecret,
): { readonly key: string; readonly of: string; readonly age: number } | undefined {
  if (secret.is !== 'Ours') return undefined;
  const [, of = '', age = ''] = text(secret.object, 'tls.crt').split(' ');
  return { key: text(secret.object, 'tls.key'), of, age: Number(age) };
}

export const issued = (spkiSha256: string): StoredCertificate => certificateOfAge(spkiSha256, 0);

function certificateOfAge(spkiSha256: string, age: number): StoredCertificate {
  const at = now - age * tickMs;
  const [notAfter, renewAt] = [at + ended * tickMs, at + due * tickMs];
  return { chain: `chain ${spkiSha256[0]} ${age}`, issuer: 'ca', spkiSha256, names, notBefore: at, notAfter, renewAt };
}

export const aged = (one: StoredCertificate): StoredCertificate =>
  certificateOfAge(one.spkiSha256, Math.min(ended, (now - one.notBefore) / tickMs + 1));
