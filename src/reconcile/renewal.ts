/** Renewal that nothing else stops: with the names, the key and the issuer that are stored. */
import { applyChanges } from '../apply/apply.ts';
import type { Loaded } from '../apply/store.ts';
import { givenKey } from '../dane/keystate.ts';
import { traitsOfAll } from '../desired/zones.ts';
import { messageOf } from '../errors.ts';
import { challengesLed, observeIssuance } from '../observe/certificate.ts';
import { observeLeads } from '../observe/leads.ts';
import { planCertificate } from '../plan/certificate.ts';
import { type Change, inLane } from '../plan/change.ts';
import { keyNamed } from '../plan/keys.ts';
import type { State, StoredKey } from '../plan/state.ts';
import type { World } from '../world.ts';

export interface StoredRenewal<S extends State> {
  /** For the log. */
  readonly owner: string;
  readonly namespace: string;
  readonly providerRef: string | undefined;
  /** Brings what is stored to where it is served, if it is not there. */
  readonly install: (state: S) => Promise<readonly Change[]>;
}

const keyOf = (state: State): StoredKey =>
  state.kind === 'domain' ? state.key : keyNamed(state, givenKey(state.rollover));

/**
 * One step of the renewal of an object whose spec can't be followed at the moment: a wrong field, or a host that is not
 * ours, must not let the certificate of the others run out. What fails here is logged; the caller reports its own trouble.
 */
export async function renewAsStored<S extends State>(
  world: World,
  loaded: Loaded<S> | undefined,
  renewal: StoredRenewal<S>,
): Promise<void> {
  if (loaded?.state.certificate === undefined) return;
  const { state, resourceVersion } = loaded;
  const { owner } = renewal;
  try {
    const issuer = await world.issuerOf(state.issuer);
    const providers = world.cache.providers();
    const at = { ...world, providers, traits: traitsOfAll(providers), ...renewal };
    const led = issuer.kind === 'acme' ? challengesLed(at, loaded.state.certificate.names) : [];
    const leads = await observeLeads(at, led, false);
    const certificate = planCertificate({
      ...(await observeIssuance(at, issuer, state)),
      state,
      key: keyOf(state),
      names: loaded.state.certificate.names,
      leads,
      issuer,
      now: world.clock.now(),
    });
    const changes = [...inLane('Own', await renewal.install(state)), ...inLane('Certificate', certificate.changes)];
    await applyChanges(world, { owner, resourceVersion }, changes);
  } catch (error) {
    world.log.warn('the renewal of what is stored waits', { object: owner, problem: messageOf(error) });
  }
}
