/** The certificates of MX hosts in their world: a CA that may be away, refuse or lose orders, crashes, a swap of keys, time. */
import { givenKey, type RolloverState } from '../../src/dane/keystate.ts';
import { planCertificate, type CertificatePlan, serves } from '../../src/plan/certificate.ts';
import type { Change } from '../../src/plan/change.ts';
import { deliverTo, renewedDelivery } from '../../src/plan/delivery.ts';
import type { MountedSecret } from '../../src/plan/exchanger.ts';
import { arranged, certificateOf, certificatesOf, filed, keyToCertify } from '../../src/plan/lane.ts';
import type { ExchangerState, StoredCertificate } from '../../src/plan/state.ts';
import type { Model, Step } from '../dane/model/explore.ts';
import { exchangerState, key, now, order } from './cases.ts';
import { due, ended, issued, names, servedBy, type World } from './certificate-lane.ts';
import { aTick, ofTheCa, ofTheKeys } from './certificate-moves.ts';
import { free } from './certificate-world.ts';

/** What of the operator a mutant may replace. */
export interface Machine {
  readonly plan: typeof planCertificate;
  readonly keyFor: typeof keyToCertify;
  readonly inUse: (rollover: RolloverState) => readonly string[];
  readonly lasts: (certificate: StoredCertificate) => boolean;
}

export const sound: Machine = {
  plan: planCertificate,
  keyFor: keyToCertify,
  // As `step` has it: see `certify`.
  inUse: ({ phase, current, next }) =>
    phase === 'Steady' ? [current] : phase === 'Retiring' ? [next] : [current, next],
  lasts: ({ notAfter }) => notAfter > now,
};

const place = { namespace: 'mail', name: 'mx', secretName: 'mx-tls' };

const firstWorld: World = {
  state: exchangerState(),
  secret: { is: 'Absent' },
  atCa: undefined,
  run: 'Nothing',
  away: false,
  excused: false,
};

export function certificateModel(machine: Machine = sound): Model<World> {
  return {
    initial: [{ how: 'at first', world: withoutCertificate(firstWorld) }],
    keyOf,
    wrong: wrongWith,
    *next(world) {
      const looked = look(world, machine);
      yield* looked;
      yield* ofTheCa(world);
      yield* ofTheKeys(world);
      yield { how: 'the operator is killed', world: { ...world, run: 'Nothing' } };
      // Time goes by when nothing is left to do that can be done: a tick is a month, and a look takes a second.
      const idle = looked.every((step) => keyOf(step.world) === keyOf(world));
      yield aTick({ ...world, run: 'Nothing', excused: true }, 'while no operator runs');
      if (idle && (world.away || world.atCa === undefined || world.atCa === 'invalid')) yield aTick(world);
    },
  };
}

function withoutCertificate(world: World): World {
  const { certificate: _certificate, ...state } = world.state;
  return { ...world, state };
}

function keyOf({ state, secret, atCa, run, away, excused }: World): string {
  const kept = certificatesOf(state).map(({ chain, spkiSha256 }) => `${spkiSha256[0]}: ${chain}`);
  const { phase, current, next } = state.rollover;
  const open = state.order === undefined ? '' : `order for ${state.order.spkiSha256[0]}`;
  const later = state.orderAfter === undefined ? '' : 'retries later';
  const served = JSON.stringify(servedBy(secret) ?? null);
  const words = [
    phase,
    current[0],
    next[0],
    ...kept,
    open,
    later,
    `CA ${atCa ?? '-'}`,
    run,
    away ? 'away' : '',
    excused,
  ];
  return `${words.join(' ')} | Secret ${served}`;
}

/** I7, I8: what is wrong with what the hosts are given. */
function wrongWith({ secret, excused }: World): string | undefined {
  const served = servedBy(secret);
  if (served === undefined) return undefined;
  if (served.key !== `key ${served.of}`) return `I7: the Secret holds ${served.key} and a certificate of ${served.of}`;
  return served.age < ended || excused ? undefined : 'I8: what is served has ended, and the CA could be reached';
}

function planned({ state, atCa, run, away }: World, machine: Machine): CertificatePlan {
  const inUse = machine.inUse(state.rollover);
  const issuer = { name: 'ca', kind: 'acme' } as const;
  const at = arranged(state, inUse);
  const wanted = machine.keyFor(at, inUse, (one) => serves(one, { names, issuer, now }));
  const answered = run === 'Answered';
  const status = away || state.order === undefined ? undefined : atCa;
  const order =
    status === undefined ? undefined : run === 'Created' ? { status: 'created' as const } : { status, answered };
  const letter = wanted[0] ?? '';
  const proof = { challenges: [], spentLive: new Map(), leads: new Map(), caa: free };
  return machine.plan({ state: at, key: key(letter), names, issuer, order, now, ...proof });
}

/** One look: what its plan does, step by step, with a crash after each. */
function look(world: World, machine: Machine): readonly Step<World>[] {
  const plan = planned(world, machine);
  const seen: World = { ...world, state: plan.state as ExchangerState };
  const steps: Step<World>[] = [];
  for (const change of [...plan.changes, ...deliveries(seen, machine)])
    steps.push(...done(seen, change, world.state.order));
  return steps;
}

/** As the rollover lets it: the key that the hosts are to have, where its certificate has not ended; else what they have. */
function deliveries({ state, secret }: World, machine: Machine): readonly Change[] {
  const given = certificateOf(state, givenKey(state.rollover));
  const lasts = given !== undefined && machine.lasts(given);
  return lasts ? deliverTo(place, secret, state, given) : renewedDelivery(place, secret, state);
}

function done(world: World, change: Change, open: ExchangerState['order']): readonly Step<World>[] {
  const { away } = world;
  const step = (how: string, next: Partial<World>, wrong?: string): Step<World> => ({
    how: `the operator ${how}`,
    world: { ...world, ...next },
    wrong,
  });
  switch (change.do) {
    case 'Order': {
      if (away) return [];
      const isOpen = open !== undefined && world.atCa !== 'gone' && world.atCa !== 'invalid';
      const wrong = isOpen ? 'I6: an order is opened while one that is stored is open' : undefined;
      const stored = {
        ...(change.state as ExchangerState),
        order: order({ spkiSha256: change.key.spkiSha256, authorizations: [] }),
      };
      return [step('opens an order', { state: stored, atCa: 'pending', run: 'Created' }, wrong)];
    }
    case 'AnswerChallenges':
      return away ? [] : [step('answers', { run: 'Answered' })];
    case 'Finalize': {
      const wrong =
        change.key.spkiSha256 === change.order.spkiSha256
          ? undefined
          : 'I6: an order is finalized with another key than its own';
      return away ? [] : [step('finalizes', { atCa: 'processing', run: 'Answered' }, wrong)];
    }
    case 'FetchCertificate': {
      if (away) return [];
      const {
        order: _order,
        orderAfter: _after,
        failures: _failures,
        failure: _failure,
        ...rest
      } = change.state as ExchangerState;
      // The CA made it for the key that the order was finalized with.
      const made = issued(change.order.spkiSha256);
      const wrong =
        change.key.spkiSha256 === made.spkiSha256
          ? undefined
          : 'I7: a certificate is kept for another key than it was made for';
      return [
        step(
          'fetches the certificate',
          { state: filed(rest, made) as ExchangerState, atCa: undefined, run: 'Nothing' },
          wrong,
        ),
      ];
    }
    case 'SaveState': {
      const saved = change.state as ExchangerState;
      return [step('saves', { state: saved, atCa: saved.order === undefined ? undefined : world.atCa })];
    }
    case 'Deliver': {
      const secret: MountedSecret = { is: 'Ours', object: change.secret };
      const before = servedBy(world.secret);
      const after = servedBy(secret);
      if (JSON.stringify(before) === JSON.stringify(after)) return [];
      const wrong = after !== undefined && after.age >= ended ? 'I7: an ended certificate is installed' : undefined;
      return [
        step('delivers', { secret, excused: after !== undefined && after.age < due ? false : world.excused }, wrong),
      ];
    }
    case 'ForgetState':
    case 'Records':
    case 'Restart':
    case 'Revoke':
    case 'SelfSign':
    case 'Serve':
    case 'Unserve':
      throw new Error(`the model knows no ${change.do}`);
  }
}
