/** Renewal that nothing else stops: with the names, the key and the issuer that are stored. */
import { applyChanges } from '../apply/apply.ts';
import type { IssuerApi } from '../apply/issuers.ts';
import type { Loaded } from '../apply/store.ts';
import { traitsOfAll } from '../desired/zones.ts';
import { messageOf } from '../errors.ts';
import { challengesLed, observeIssuance } from '../observe/certificate.ts';
import { observeDelivered, observeSource } from '../observe/exchanger.ts';
import { observeHttp } from '../observe/challenge.ts';
import { observeLeads } from '../observe/leads.ts';
import { planCertificate, serves } from '../plan/certificate.ts';
import { type Change, inLane } from '../plan/change.ts';
import { type Place, renewedDelivery } from '../plan/delivery.ts';
import { keyNamed } from '../plan/keys.ts';
import { certificatesOf, keyToCertify } from '../plan/lane.ts';
import { planRestarts } from '../plan/restart.ts';
import { renewedFrom } from '../plan/sourcing.ts';
import type { ExchangerState, State, StoredKey } from '../plan/state.ts';
import type { World } from '../world.ts';
import { planOrderable } from './orderable.ts';

export interface StoredRenewal<S extends State> {
  /** For the log. */
  readonly owner: string;
  readonly namespace: string;
  readonly providerRef: string | undefined;
  /** Brings what is stored to where it is served, if it is not there. */
  readonly install: (state: S) => Promise<readonly Change[]>;
}

/** Hosts that are being moved to another key may still have the one before: its certificate is renewed as well. */
function keyOf(state: State, wish: Parameters<typeof serves>[1]): StoredKey {
  if (state.kind === 'domain') return state.key;
  const inUse = certificatesOf(state).map(({ spkiSha256 }) => spkiSha256);
  return keyNamed(
    state,
    keyToCertify(state, inUse, (one) => serves(one, wish)),
  );
}

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
    const wish = { names: loaded.state.certificate.names, issuer, now: world.clock.now() };
    const issuance = await observeIssuance(at, issuer, state);
    const http = state.kind === 'domain' ? await observeHttp(world, issuer, state, issuance.order) : undefined;
    const certificate = await planOrderable(
      world,
      state.issuer,
      (caa) => planCertificate({ ...issuance, http, state, key: keyOf(state, wish), leads, caa, ...wish }),
      ({ asksCaa }) => asksCaa,
    );
    const renewed = await renewedElsewhere(world, issuer, state);
    const changes = [
      ...renewed,
      ...inLane('Own', await renewal.install((renewed[0]?.state as S | undefined) ?? state)),
      ...inLane('Certificate', certificate.changes),
    ];
    await applyChanges(world, { owner, resourceVersion }, changes);
  } catch (error) {
    world.log.warn('the renewal of what is stored waits', { object: owner, problem: messageOf(error) });
  }
}

/** What an external issuer's Secret holds for a key that the hosts have. */
async function renewedElsewhere(
  world: World,
  issuer: IssuerApi,
  state: State,
): Promise<ReturnType<typeof renewedFrom>> {
  if (issuer.kind !== 'external' || state.kind !== 'exchanger') return [];
  const { namespace, sourceSecretName: secretName, certificate } = state;
  const names = certificate?.names.filter((name) => !name.startsWith('*.')) ?? [];
  return renewedFrom(state, await observeSource(world, { namespace, secretName, names, issuer: issuer.name }));
}

/**
 * What brings a renewed certificate to the hosts: the Secret; and, once that holds it, the workloads that were restarted
 * for the certificate before. Those that were given another key, or none by us, wait until the spec can be followed.
 */
export async function renewedInstallation(
  world: World,
  place: Place,
  state: ExchangerState,
): Promise<readonly Change[]> {
  const { mounted, workloads } = await observeDelivered(world, { ...place, restart: state.restart ?? [] }, state);
  const delivery = renewedDelivery(place, mounted, state);
  if (delivery.length > 0) return delivery;
  const { namespace } = place;
  const restarts = planRestarts({ namespace, workloads, suspended: true, forbidden: undefined, endsSoon: false });
  return restarts.changes;
}
