/** An exchanger whose certificates someone else puts into a Secret, as cert-manager does: the key in SEC1, as it writes it. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { conditionOf } from '../../src/api/conditions.ts';
import {
  apiVersion,
  type CertificateIssuer,
  type CertificateSpec,
  type ConditionType,
  type MailExchanger,
} from '../../src/api/types.ts';
import { issueSelfSigned } from '../../src/apply/selfsigned.ts';
import type { SecretObject } from '../../src/kube/types.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import type { World } from '../../src/world.ts';
import { day, keyGiven, keysOf, type Senders, sendersOf, settle, tlsaOf } from './rotation-scene.ts';
import { createScene, type Scene } from './scene.ts';

export const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;

export const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

export const fingerprint = (key: KeyObject): string => spkiSha256OfKey(keyPem(key));

export interface Filling {
  readonly key: KeyObject;
  readonly names?: readonly string[];
  readonly days?: number;
  /** What is different in the Secret. */
  readonly change?: Partial<SecretObject> & { readonly data?: Readonly<Record<string, string>> };
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** What cert-manager would write at `now`. */
export async function sourceSecret(
  { key, names = ['mx1.example.com'], days = 90, change = {} }: Filling,
  now: number,
): Promise<SecretObject> {
  const chain = await issueSelfSigned({ names, keyPem: keyPem(key), years: days / 365, now });
  const isEc = createPrivateKey(keyPem(key)).asymmetricKeyType === 'ec';
  const pem = isEc ? key.export({ type: 'sec1', format: 'pem' }).toString() : keyPem(key);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'mx-source', namespace: 'mail' },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(chain), 'tls.key': base64(pem) },
    ...change,
  };
}

/** Puts it there, over what is there. */
export async function fill(scene: Scene, filling: Filling): Promise<void> {
  const secret = await sourceSecret(filling, scene.now());
  const before = await scene.kube.get<SecretObject>({ ...secret, name: 'mx-source', namespace: 'mail' });
  if (before === undefined) await scene.kube.create(secret);
  else await scene.kube.replace({ ...secret, metadata: before.metadata });
}

export const external: CertificateSpec = { issuerRef: { name: 'elsewhere' }, sourceSecretName: 'mx-source' };

/** The exchanger asks for it; the Secret is still to be filled. */
export async function createSourceScene(spec: Partial<MailExchanger['spec']> = {}): Promise<Scene> {
  const scene = await createScene({ certificate: external, ...spec });
  const issuer: CertificateIssuer = {
    apiVersion,
    kind: 'CertificateIssuer',
    metadata: { name: 'elsewhere' },
    spec: { external: {} },
  };
  await scene.kube.create(issuer);
  return scene;
}

export const record = (key: KeyObject): string => `3 1 1 ${fingerprint(key)}`;
export const said = (scene: Scene, type: ConditionType): string =>
  conditionOf(scene.exchanger()?.status?.conditions, type)?.message ?? '';
export const reasonOf = (scene: Scene, type: ConditionType): string | undefined =>
  conditionOf(scene.exchanger()?.status?.conditions, type)?.reason;
export const nextOf = (scene: Scene): string => JSON.stringify(scene.exchanger()?.status?.next ?? []);
export const givenTo = (scene: Scene, key: KeyObject) => (): boolean => keyGiven(scene) === fingerprint(key);
export const restsOn = (scene: Scene, key: KeyObject) => (): boolean =>
  scene.state()?.rollover.phase === 'Steady' && keysOf(scene)[0] === fingerprint(key) && tlsaOf(scene).length === 1;

/** The source is filled once, and all is as it should be for a while. */
export interface Settled {
  readonly scene: Scene;
  readonly key: KeyObject;
  readonly senders: Senders;
  readonly world: World;
}

export async function settled(of: readonly string[] = ['mx1.example.com']): Promise<Settled> {
  const scene = await createSourceScene({ hosts: of });
  const key = newKey();
  await fill(scene, { key, names: of });
  const senders = sendersOf(scene, of);
  const world = await settle(scene, senders, day);
  return { scene, key, senders, world };
}

export const hosts: readonly string[] = ['mx1.example.com', 'mx2.example.com'];
