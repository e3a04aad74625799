/** A host that a human runs with DANE of his own, under senders that may have cached any set, at any port. */
import { createHash, X509Certificate } from 'node:crypto';
import { expect } from 'vitest';
import { verifyDane } from '../../src/dane/verify.ts';
import { certificatesIn, spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { createAuthority, type Pair } from '../server/certificates.ts';
import { createScene, type Scene, zone } from './scene.ts';

export const adopt = 'mailseal.dev/adopt';
export const mx1 = 'mx1.example.com';
export const mx2 = 'mx2.example.com';
const authority = createAuthority();
export const byHand: Pair = authority.issue([mx1, mx2]);
export const byHandChain: string = byHand.certificate + authority.certificate;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
/** Pins the CA, the host's certificate, and one that nobody has. */
export const foreign: readonly string[] = [
  `2 1 1 ${spkiSha256OfKey(authority.key)}`,
  `3 0 1 ${sha256(new X509Certificate(byHand.certificate).raw)}`,
  `3 0 2 ${'ab'.repeat(64)}`,
].sort();

export function setTlsa(scene: Scene, values: readonly string[], host: string = mx1, port = 25, ttl = 7200): void {
  scene.provider.setByHand(zone, { name: `_${port}._tcp.${host}`, type: 'TLSA', ttl, values });
}

/** I1 as a sender has it, who may have cached any set for its TTL: each must match what the hosts present. */
export function sendersOf(scene: Scene, hosts: readonly string[] = [mx1], port = 25): { look: () => void } {
  const cached = new Map<string, { readonly host: string; readonly values: readonly string[]; until: number }>();
  return {
    look: () => {
      for (const host of hosts) {
        const live = scene.provider
          .sets(zone)
          .find((set) => set.name === `_${port}._tcp.${host}` && set.type === 'TLSA');
        if (live === undefined) continue;
        const until = scene.now() + live.ttl * 1000;
        cached.set(`${host} ${[...live.values].sort().join()}`, { host, values: live.values, until });
      }
      for (const { host, values, until } of cached.values()) {
        const chain = certificatesIn(scene.shown(host) ?? '');
        if (until < scene.now() || chain.length === 0) continue;
        const verdict = verifyDane({ records: values, chain, names: [host], now: scene.now() });
        expect(verdict.verdict, `${host} at ${new Date(scene.now()).toISOString()}`).toBe('Match');
      }
    },
  };
}

/** A host that a human runs with DANE of his own. */
export async function byHandScene(spec: Parameters<typeof createScene>[0] = {}): Promise<Scene> {
  const scene = await createScene(spec);
  // The certificate by hand names both hosts, whichever of them the exchanger has.
  await scene.annotate({ 'mailseal.dev/drop-names': mx2 });
  scene.show(mx1, byHandChain);
  setTlsa(scene, foreign);
  return scene;
}

export const nexts = (scene: Scene): string =>
  (scene.exchanger()?.status?.next ?? []).map(({ what }) => what).join('\n');
