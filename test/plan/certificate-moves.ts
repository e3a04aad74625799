/** What may happen around the certificates of MX hosts: at the CA, with the keys, and by time alone. */
import type { RolloverState } from '../../src/dane/keystate.ts';
import type { MountedSecret } from '../../src/plan/exchanger.ts';
import { certificatesOf } from '../../src/plan/lane.ts';
import type { ExchangerState } from '../../src/plan/state.ts';
import type { Step } from '../dane/model/explore.ts';
import { now } from './cases.ts';
import { aged, due, ended, type OrderStatus, servedBy, type World } from './certificate-lane.ts';

export function* ofTheCa(world: World): Iterable<Step<World>> {
  const { atCa, away, run } = world;
  yield { how: away ? 'the CA is back' : 'the CA goes away', world: { ...world, away: !away, excused: true } };
  if (away || atCa === undefined) return;
  const comes = (status: OrderStatus): Step<World> => ({
    how: `the order is ${status}`,
    world: { ...world, atCa: status, run: run === 'Created' ? 'Nothing' : run },
  });
  if (atCa === 'pending' && run === 'Answered') yield comes('ready');
  if (atCa === 'processing') yield comes('valid');
  if (atCa === 'invalid' || atCa === 'gone') return;
  for (const status of ['invalid', 'gone'] as const) {
    const { how, world: failed } = comes(status);
    yield { how, world: { ...failed, excused: true } };
  }
}

/** The rollover as far as it matters here: it goes on when what it needs is there. */
export function* ofTheKeys(world: World): Iterable<Step<World>> {
  const { state, secret } = world;
  const { phase, current, next } = state.rollover;
  const served = servedBy(secret);
  const to = (rollover: Partial<RolloverState>): World => ({
    ...world,
    state: { ...state, rollover: { ...state.rollover, ...rollover } },
  });
  if (served === undefined) return;
  if (phase === 'Steady') yield { how: 'a rotation begins', world: to({ phase: 'Armed' }) };
  const has = (spki: string): boolean =>
    certificatesOf(state).some((one) => one.spkiSha256 === spki && one.notAfter > now);
  if (phase === 'Armed' && has(next)) yield { how: 'the key is swapped', world: to({ phase: 'Swapping' }) };
  if (phase === 'Swapping' && served.of === next[0])
    yield { how: 'the old key retires', world: to({ phase: 'Retiring' }) };
  // The key after it is a new one, which takes the letter of the old.
  const { certificate, order } = state;
  if (phase !== 'Retiring' || certificate?.spkiSha256 !== next || order?.spkiSha256 === current) return;
  const { otherCertificates: _others, ...rest } = to({ phase: 'Steady', current: next, next: current }).state;
  yield { how: 'the rotation ends', world: { ...world, state: rest } };
}

export function aTick(world: World, how = 'when all is done'): Step<World> {
  const { state, secret } = world;
  const { certificate, otherCertificates, orderAfter: _after, ...rest } = state;
  const served = servedBy(secret);
  const later: ExchangerState = {
    ...rest,
    ...(certificate === undefined ? {} : { certificate: aged(certificate) }),
    ...(otherCertificates === undefined ? {} : { otherCertificates: otherCertificates.map(aged) }),
  };
  // Who was away before a renewal was due has no part in its coming too late.
  const hindered = world.away || state.orderAfter !== undefined;
  const excused = hindered || (world.excused && (served?.age ?? 0) + 1 >= due);
  const older = (object: Extract<MountedSecret, { is: 'Ours' }>['object']): MountedSecret => {
    const chain = `chain ${served?.of ?? ''} ${Math.min(ended, (served?.age ?? 0) + 1)}`;
    return {
      is: 'Ours',
      object: { ...object, data: { ...object.data, 'tls.crt': Buffer.from(chain).toString('base64') } },
    };
  };
  return {
    how: `a month goes by ${how}`,
    world: { ...world, excused, state: later, secret: secret.is === 'Ours' ? older(secret.object) : secret },
  };
}
