/** MX hosts that present whatever the Secrets hold, as soon as they hold it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeClient } from '../../../src/kube/client.ts';
import { createReflector } from '../../../src/kube/reflector.ts';
import type { SecretObject } from '../../../src/kube/types.ts';
import { tenant } from '../../faults/cluster.ts';
import { selfSigned } from '../../lab/mail-ca.ts';
import { addAddress } from '../../lab/namespace.ts';
import { collectParts } from '../../lab/parts.ts';
import { startStandIn, usual } from '../../observe/smtp-stand-in.ts';
import { mxAddress, mxHost, type WayName, wayNames } from './names.ts';

interface KeyPair {
  readonly key: string;
  readonly chain: string;
}

/** `mailseal.dev/exchanger` on a Secret tells whose it is. Resolves when all of them listen. */
export async function startMxHosts(dir: string, kube: KubeClient): Promise<{ readonly stop: () => Promise<void> }> {
  const useless = await selfSigned({ path: join(dir, 'useless'), names: ['localhost'], days: 30 });
  const first: KeyPair = { key: readFileSync(useless.key, 'utf8'), chain: readFileSync(useless.cert, 'utf8') };
  const mounted = new Map<string, KeyPair>();
  const { keep, stop } = collectParts();
  const start = async (way: WayName): Promise<void> => {
    await addAddress(mxAddress(way));
    const script = {
      greeting: `220 ${mxHost(way)} ESMTP\r\n`,
      answers: { ...usual, EHLO: `250-${mxHost(way)}\r\n250 STARTTLS\r\n` },
      get tls() {
        return mounted.get(way) ?? first;
      },
    };
    keep(await startStandIn(script, { address: mxAddress(way), port: 25 }));
  };
  try {
    await Promise.all(wayNames.map(start));
  } catch (error) {
    await stop();
    throw error;
  }
  const mounts = createReflector<SecretObject, SecretObject>({
    kube,
    query: { apiVersion: 'v1', kind: 'Secret', namespace: tenant },
    select: (secret) => (secret.type === 'kubernetes.io/tls' ? secret : undefined),
    onChange: (_, secret) => {
      const whose = secret?.metadata.labels?.['mailseal.dev/exchanger'];
      if (secret !== undefined && whose !== undefined) mounted.set(whose, keyPairOf(secret));
    },
  });
  mounts.start();
  keep(mounts);
  return { stop };
}

const keyPairOf = ({ data = {} }: SecretObject): KeyPair => {
  const text = (name: string): string => Buffer.from(data[name] ?? '', 'base64').toString('utf8');
  return { key: text('tls.key'), chain: text('tls.crt') };
};
