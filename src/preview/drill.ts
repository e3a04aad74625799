/** What a rotation of an exchanger's keys would do, from how the exchanger was just seen. Nothing is written. */
import type { MailExchanger } from '../api/types.ts';
import { MailsealError } from '../errors.ts';
import type { DesiredExchanger } from '../desired/exchanger.ts';
import type { RotationWish } from '../desired/rotation.ts';
import { type DrillRow, playDrill } from '../plan/drill.ts';
import type { ExchangerPlan } from '../plan/exchanger.ts';
import { withoutStaleIntents } from '../plan/exchanger-state.ts';
import { rolloverFacts } from '../plan/keys.ts';
import type { StoredKey } from '../plan/state.ts';
import { claimHosts, identityOfExchanger } from '../reconcile/exchanger.ts';
import { lookAtExchanger, wishExchanger } from '../reconcile/exchanger-plan.ts';
import { checkSpec } from '../reconcile/grants.ts';
import { askedAt } from '../reconcile/pace.ts';
import type { PreviewWorld } from './objects.ts';

export type DrillKind = 'rotate' | 'compromise';

/** A key, and the letter by which a drill speaks of it. */
export interface DrillKey {
  readonly letter: string;
  readonly what: string;
  /** Absent for one that would be made only then. */
  readonly spkiSha256?: string;
}

export interface DrillReport {
  readonly kind: DrillKind;
  readonly namespace: string;
  readonly name: string;
  readonly hosts: readonly string[];
  /** As `mailseal.dev/rotate-now` would be written. */
  readonly wish: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly keys: readonly DrillKey[];
  readonly rows: readonly DrillRow[];
  /** Why it would not come to its end as things stand, in words; empty: it would. */
  readonly blocked: readonly string[];
}

function wishOf(kind: DrillKind, now: number): RotationWish {
  const time = new Date(now).toISOString();
  return kind === 'rotate'
    ? { text: time, wanted: 'RotateNow', at: now }
    : { text: `compromised ${time}`, wanted: 'Compromised', at: now };
}

/** @throws MailsealError where the exchanger can't be looked at as the operator would. */
export async function drillExchanger(
  world: PreviewWorld,
  exchanger: MailExchanger,
  kind: DrillKind,
): Promise<DrillReport> {
  checkSpec(exchanger);
  const { namespace = '', name, deletionTimestamp } = exchanger.metadata;
  if (deletionTimestamp !== undefined)
    throw new MailsealError('Retiring', 'it is being deleted: its keys are not rotated any more');
  const stored = await world.store.load('exchanger', identityOfExchanger(exchanger));
  const desired = await wishExchanger(world, exchanger, stored);
  await claimHosts(world, exchanger, desired);
  const look = await lookAtExchanger(world, exchanger, desired, stored, askedAt(exchanger, world.clock.now()));
  const now = world.clock.now();
  const wish = wishOf(kind, now);
  const head = { kind, namespace, name, hosts: desired.hosts.map(({ host }) => host), wish: wish.text, now };
  if (stored?.state.certificate === undefined) {
    const why = 'it has no key and certificate of ours yet, or they can not be read with your rights';
    return { ...head, keys: [], rows: [], blocked: [why] };
  }
  if (desired.sourceSecretName !== undefined) {
    const why = `its keys come in Secret ${namespace}/${desired.sourceSecretName}: another one begins when it is put there, with its certificate`;
    return { ...head, keys: [], rows: [], blocked: [why] };
  }
  const state = withoutStaleIntents(desired, look.observed, stored.state);
  const { rollover, rotation: memory = { since: now }, applied } = state;
  const facts = rolloverFacts(desired, look.observed, state, now);
  const ttls = applied.flatMap(({ type, ttl, previousTtl }) => (type === 'TLSA' ? [ttl, previousTtl] : []));
  const ttlMs = Math.max(desired.dane.ttlSeconds, ...ttls) * 1000;
  // By age no key is due again within the drill.
  const rotation = { ...desired.rotation, wish, everyDays: 0 };
  const drill = playDrill({ state: rollover, memory, facts, rotation, ttlMs });
  const blocked = [...drill.blocked.map(({ message }) => message), ...obstacles(desired, look.plan)];
  return { ...head, keys: keysOf(state.keys, rollover, drill.made), rows: drill.rows, blocked };
}

/** What the rollover itself does not look at. */
function obstacles(desired: DesiredExchanger, { delivery, records, certificate, restarts }: ExchangerPlan): string[] {
  const secret = delivery.reason === 'SecretForeign' || delivery.reason === 'SecretForbidden';
  const { problem } = certificate;
  const fails = problem !== undefined && problem.reason !== 'OrderPending';
  return [
    ...(secret ? [`The key could not be delivered: ${delivery.message}.`] : []),
    ...(restarts.problem === undefined ? [] : [`The hosts would not be restarted: ${restarts.problem.message}.`]),
    ...(desired.dane.mode === 'Off' ? [] : records.refused)
      .filter(({ record }) => record.endsWith(' TLSA'))
      .map(({ message }) => `The TLSA records could not be changed: ${message}.`),
    ...(fails ? [`The next key could get no certificate: ${problem.message}.`] : []),
  ];
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

function keysOf(
  stored: readonly StoredKey[],
  { current, next, spare }: { readonly current: string; readonly next: string; readonly spare?: string },
  made: readonly string[],
): readonly DrillKey[] {
  const role = new Map([
    [current, 'the current key'],
    [next, 'the next key'],
    ...(spare === undefined ? [] : [[spare, 'the key after the next'] as const]),
  ]);
  const known = [current, next, ...(spare === undefined ? [] : [spare])]
    .filter((key) => stored.some(({ spkiSha256 }) => spkiSha256 === key))
    .map((spkiSha256) => ({ what: role.get(spkiSha256) ?? 'a key', spkiSha256 }));
  return [...known, ...made.map((what) => ({ what }))].map((key, at) => ({ letter: letters[at] ?? '?', ...key }));
}
