/** Hosts that have keys, certificates and TLSA records by hand come under our care, and no sender notices. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { adoptAnnotation } from '../../src/desired/adopt.ts';
import { selfSigned, writeBundle } from '../lab/mail-ca.ts';
import { type Act, digestOf, settle, untilState } from './acts.ts';
import { applyExchanger, attested } from './exchanger.ts';
import type { Ground } from './ground.ts';
import { hosts, ttlSeconds, zone } from './names.ts';

const tlsaOf = (host: string): string => `_25._tcp.${host}`;

/** What an administrator did years ago, for each host by itself. */
export async function byHand({ dir, mx, bind }: Ground): Promise<void> {
  for (const { name, postfix } of mx) {
    const made = await selfSigned({ path: join(dir, `${name}.by-hand`), names: [name] });
    writeBundle(postfix.chainFile, made);
    await postfix.reload();
    const digest = digestOf(new X509Certificate(readFileSync(made.cert)).publicKey);
    await bind.dynamicUpdate(`zone ${zone}\nupdate add ${tlsaOf(name)}. ${ttlSeconds} TLSA 3 1 1 ${digest}`);
  }
  await bind.settled(zone);
}

/** Ends when the hosts present our key, and nothing of theirs is published beside ours any more. */
export const takeOver: Act = {
  name: 'hosts with DANE by hand are taken over',
  play: async (ground) => {
    await applyExchanger(ground, { [adoptAnnotation]: hosts.map((host) => `${tlsaOf(host)} TLSA`).join(', ') });
    await ground.startAgents();
    await ground.startOperator();
    await settle(ground);
    const { rollover } = await untilState(
      ground,
      'nothing but our keys is published',
      ({ rollover }) => rollover.published && rollover.adopted === undefined,
    );
    const keys = (await attested(ground)).map((presents) => presents?.spkiSha256);
    if (keys.some((key) => key !== rollover.current)) throw new Error(`the hosts present ${keys.join(' and ')}`);
    return { 'hosts taken over': hosts.length };
  },
};
