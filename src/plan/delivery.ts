import type { Reason } from '../api/reasons.ts';
import { givenKey, type RolloverStep } from '../dane/keystate.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { SecretObject } from '../api/object.ts';
import type { Change } from './change.ts';
import type { MountedSecret } from './exchanger.ts';
import { keyNamed } from './keys.ts';
import { certificateOf } from './lane.ts';
import type { ExchangerState, StoredCertificate } from './state.ts';

/** Where the certificate is on its way to the hosts. */
export interface Delivery {
  readonly status: 'Delivered' | 'Delivering' | 'Blocked' | 'NoCertificate';
  readonly reason: Reason;
  readonly message: string;
}

/** Where the Secret that the MX hosts mount lies, and whose it is. */
export type Place = Pick<DesiredExchanger, 'namespace' | 'name' | 'secretName'>;

const decode = (secret: SecretObject, key: string): string =>
  Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** Whether the certificate in hand may go to the hosts now: the rollover names the key that they may be given. */
export function planDelivery(
  desired: DesiredExchanger,
  mounted: MountedSecret,
  state: ExchangerState,
  step: RolloverStep,
  lost: string | undefined,
): Delivery {
  const { certificate } = state;
  const { secretName } = desired;
  if (certificate === undefined) {
    return { status: 'NoCertificate', reason: 'AwaitingDelivery', message: 'there is no certificate yet' };
  }
  if (mounted.is === 'Foreign') return { status: 'Blocked', reason: 'SecretForeign', message: mounted.message };
  if (mounted.is === 'Forbidden') return { status: 'Blocked', reason: 'SecretForbidden', message: mounted.message };
  // Waits of the phase and of the publication come before the one that keeps the key back.
  const wait = step.waits.at(-1);
  if (step.deliver !== givenKey(step.state) && wait !== undefined) {
    return { status: 'Blocked', reason: wait.reason, message: wait.message };
  }
  if (lost !== undefined && mounted.is === 'Absent') return { status: 'Blocked', reason: 'NamesLost', message: lost };
  const same =
    mounted.is === 'Ours' &&
    decode(mounted.object, 'tls.crt') === certificate.chain &&
    decode(mounted.object, 'tls.key') === keyNamed(state, certificate.spkiSha256).pem;
  return same
    ? { status: 'Delivered', reason: 'AwaitingDelivery', message: `Secret ${secretName} holds the certificate` }
    : { status: 'Delivering', reason: 'AwaitingDelivery', message: `the certificate goes to Secret ${secretName}` };
}

/** Key and certificate in one atomic write. */
export function deliverTo(
  desired: Place,
  mounted: MountedSecret,
  state: ExchangerState,
  certificate: StoredCertificate | undefined = state.certificate,
): readonly Change[] {
  if (certificate === undefined) return [];
  const found = mounted.is === 'Ours' ? mounted.object.metadata.resourceVersion : undefined;
  const secret: SecretObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: desired.secretName,
      namespace: desired.namespace,
      labels: { 'app.kubernetes.io/managed-by': 'mailseal', 'mailseal.dev/exchanger': desired.name },
      ...(found === undefined ? {} : { resourceVersion: found }),
    },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': encode(certificate.chain), 'tls.key': encode(keyNamed(state, certificate.spkiSha256).pem) },
  };
  return [{ do: 'Deliver', why: 'the certificate is ready and no live TLSA contradicts its key', secret }];
}

/** A renewed certificate for the key that the Secret holds already, whichever it is: nothing may stop it. */
export function renewedDelivery(place: Place, mounted: MountedSecret, state: ExchangerState): readonly Change[] {
  if (mounted.is !== 'Ours') return [];
  const pem = decode(mounted.object, 'tls.key');
  const key = state.keys.find((one) => one.pem === pem);
  const certificate = key === undefined ? undefined : certificateOf(state, key.spkiSha256);
  if (certificate === undefined || decode(mounted.object, 'tls.crt') === certificate.chain) return [];
  return deliverTo(place, mounted, state, certificate);
}
