/** What everybody else does: a new key and its certificate are put in place, and the TLSA records stand as they stood. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { selfSigned, writeBundle } from '../lab/mail-ca.ts';
import { waitFor } from '../lab/process.ts';
import type { Act } from './acts.ts';
import type { Ground } from './ground.ts';

const name = 'a key is swapped naively';

/** Ends when the sender has put a message off, and the former key is back. Neither operator nor agents run any more. */
export const naiveSwap: Act = {
  name,
  play: async (ground: Ground) => {
    await ground.endAgents();
    await ground.killOperator();
    const [{ name: host, postfix }] = ground.mx;
    const sender = await ground.send();
    const kept = join(ground.dir, 'kept.pem');
    copyFileSync(postfix.chainFile, kept);
    const other = await selfSigned({ path: join(ground.dir, 'other'), names: [host] });
    writeBundle(postfix.chainFile, other);
    await postfix.reload();
    try {
      const isPutOff = (): boolean => sender.tally().count(name).deferred > 0;
      await waitFor('mail is put off', isPutOff, { everyMs: 200, part: postfix.part });
    } finally {
      copyFileSync(kept, postfix.chainFile);
      await postfix.reload();
    }
    return {};
  },
};
