/** What is done to the keys while mail flows; each act ends when the objects say so. */
import { createHash } from 'node:crypto';
import { conditionOf } from '../../src/api/conditions.ts';
import { rotateNowAnnotation } from '../../src/desired/rotation.ts';
import type { ExchangerState } from '../../src/plan/state.ts';
import { waitFor } from '../lab/process.ts';
import { applyExchanger, attested, exchangerOf, mountedLeaf, stateOf } from './exchanger.ts';
import type { Ground } from './ground.ts';

export interface Act {
  /** As a sentence goes on after "while …". */
  readonly name: string;
  /** Resolves with further figures, if any. */
  readonly play: (ground: Ground) => Promise<Readonly<Record<string, number>>>;
}

/** For what is only waited for: a machine may have other things to do. */
export const patience = { timeoutMs: 240_000, everyMs: 200 } as const;

/** Until the stored state is as wanted; the operator may be another one by then. */
export const untilState = (
  ground: Ground,
  what: string,
  isIt: (state: ExchangerState) => boolean,
): Promise<ExchangerState> =>
  waitFor(
    what,
    async () => {
      const state = await stateOf(ground);
      if (state !== undefined && isIt(state)) return state;
      throw new Error(`it is ${state?.rollover.phase ?? 'not stored'}: ${await complaint(ground)}`);
    },
    patience,
  );

/** What the object says of itself where it is not as it should be, and what it waits for. */
async function complaint(ground: Ground): Promise<string> {
  const status = (await exchangerOf(ground))?.status;
  const bad = (status?.conditions ?? []).filter((one) => one.status !== 'True' && one.type !== 'Stalled');
  const next = (status?.next ?? []).map(({ what, after = '' }) => `${what} ${after}`);
  return [...bad.map(({ type, reason, message }) => `${type} ${reason}: ${message}`), ...next].join('; ');
}

/** Until a condition, or what the object waits for, says something. */
export const untilSaid = (ground: Ground, what: string, pattern: RegExp): Promise<boolean> =>
  waitFor(
    what,
    async () => {
      const { conditions = [], next = [] } = (await exchangerOf(ground))?.status ?? {};
      const said = conditions.map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
      return [...said, ...next.map((step) => step.what)].some((text) => pattern.test(text));
    },
    patience,
  );

/** From nothing to hosts whose TLSA sets stand. */
export async function settle(ground: Ground): Promise<void> {
  const isReady = async (): Promise<boolean> =>
    conditionOf((await exchangerOf(ground))?.status?.conditions, 'Ready')?.status === 'True';
  await waitFor('the hosts are Ready', isReady, { ...patience, part: ground.operator() });
}

/** Asks for the next key; resolves with the wish as written. */
export async function wish(ground: Ground, prefix = ''): Promise<string> {
  const text = `${prefix}${new Date().toISOString()}`;
  await applyExchanger(ground, { [rotateNowAnnotation]: text });
  return text;
}

/** The wish is met, and nothing of the way there is left. */
export const untilMet = (ground: Ground, text: string): Promise<ExchangerState> =>
  untilState(
    ground,
    `the keys are rotated as ${text} asks`,
    ({ rollover, rotation }) => rotation?.met === text && rollover.phase === 'Steady',
  );

export const digestOf = (key: { readonly export: (options: { type: 'spki'; format: 'der' }) => Buffer }): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');

/** A rotation from the wish to its end; what the agents attest then is the key that was the next one before. */
export async function rotate(ground: Ground, prefix = ''): Promise<void> {
  const before = await stateOf(ground);
  await untilMet(ground, await wish(ground, prefix));
  const keys = (await attested(ground)).map((presents) => presents?.spkiSha256);
  const next = before?.rollover.next;
  if (keys.some((key) => key !== next)) throw new Error(`the hosts present ${keys.join(' and ')}, not ${next}`);
}

export const rotations = (times: number): Act => ({
  name: times === 1 ? 'the key is rotated' : `keys are rotated ${times} times`,
  play: async (ground) => {
    for (let time = 0; time < times; time += 1) await rotate(ground);
    return { rotations: times };
  },
});

/** The CA wants the certificate renewed at once. */
export const renewal: Act = {
  name: 'the certificate is renewed',
  play: async (ground) => {
    const before = await mountedLeaf(ground);
    const hour = 3_600_000;
    const [start, end] = [2, 1].map((hours) => new Date(Date.now() - hours * hour).toISOString());
    await ground.pebble.setRenewalInfo(before.toString(), { suggestedWindow: { start, end } });
    await applyExchanger(ground, { 'mailseal.dev/requested-at': new Date().toISOString() });
    const served = async (): Promise<boolean> => {
      const now = await mountedLeaf(ground);
      if (now.serialNumber === before.serialNumber) return false;
      const serials = (await attested(ground)).map((presents) => presents?.serial);
      return serials.every((serial) => serial === now.serialNumber.toLowerCase());
    };
    await waitFor('both hosts present a renewed certificate', served, patience);
    const after = await mountedLeaf(ground);
    if (digestOf(after.publicKey) !== digestOf(before.publicKey)) throw new Error('the renewal changed the key');
    return { renewals: 1 };
  },
};

export const compromise: Act = {
  name: 'a key is compromised',
  play: async (ground) => {
    await rotate(ground, 'compromised ');
    return { compromises: 1 };
  },
};

/** To RSA, and back to what the other acts go by. */
export const algorithms: Act = {
  name: 'the algorithm is changed',
  play: async (ground) => {
    for (const [algorithm, type] of [
      ['RSA-2048', 'rsa'],
      ['ECDSA-P256', 'ec'],
    ] as const) {
      await applyExchanger(ground, {}, { algorithms: [algorithm] });
      const isMoved = async (): Promise<boolean> => {
        const { publicKey } = await mountedLeaf(ground);
        const keys = (await attested(ground)).map((presents) => presents?.spkiSha256);
        return publicKey.asymmetricKeyType === type && keys.every((key) => key === digestOf(publicKey));
      };
      await waitFor(`both hosts present a key by ${algorithm}`, isMoved, patience);
      await untilState(
        ground,
        'nothing but keys of ours is published',
        ({ rollover }) => rollover.phase === 'Steady' && rollover.adopted === undefined,
      );
    }
    return { 'algorithm changes': 2 };
  },
};
