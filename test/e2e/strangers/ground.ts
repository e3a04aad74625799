/**
 * One MX host whose keys are rotated: the API in memory and all else real. BIND holds the zone, Unbound shows it, Pebble
 * issues, and Postfix presents what its Secret held when it was last reloaded.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MailExchanger } from '../../../src/api/types.ts';
import type { KubeObject, SecretObject } from '../../../src/kube/types.ts';
import { createResolver } from '../../../src/observe/dns/resolver.ts';
import type { ExchangerState } from '../../../src/plan/state.ts';
import { conditionOf } from '../../../src/api/conditions.ts';
import { reconcileExchanger } from '../../../src/reconcile/exchanger.ts';
import type { World } from '../../../src/world.ts';
import { type Bind, startBind } from '../../lab/dns.ts';
import { startUnbound } from '../../lab/dns-unbound.ts';
import { addAddress, newFolder } from '../../lab/namespace.ts';
import { collectParts } from '../../lab/parts.ts';
import { type Pebble, startPebble } from '../../lab/pebble.ts';
import { type PostfixMx, startPostfixMx } from '../../lab/postfix-mx.ts';
import { waitFor } from '../../lab/process.ts';
import { toolPath } from '../../lab/tools.ts';
import { createLabObjects, createLabWorld } from '../../reconcile/lab-world.ts';

export const zone = 'example.test';
export const mxHost: string = `mx1.${zone}`;
export const bogusZone = 'broken.test';
const rotateNow = 'mailseal.dev/rotate-now';

export interface Ground {
  readonly dir: string;
  readonly bind: Bind;
  readonly pebble: Pebble;
  readonly mx: PostfixMx;
  readonly addresses: { readonly resolver: string; readonly mx: string };
  /** A program that has just started and remembers nothing. */
  readonly start: () => void;
  /** What an administrator writes as `mailseal.dev/rotate-now`. */
  readonly ask: (wish: string) => Promise<void>;
  /** Everything that the cluster holds. */
  readonly objects: () => readonly KubeObject[];
  readonly exchanger: () => MailExchanger | undefined;
  /** As far as DANE senders care: nobody else trusts the CA of the lab. */
  readonly isReady: () => boolean;
  readonly state: () => ExchangerState | undefined;
  /** The pair in the Secret. */
  readonly mounted: () => { readonly key: string; readonly chain: string } | undefined;
  /** Postfix is given the pair of the Secret, and reloaded. */
  readonly take: () => Promise<void>;
  /** Looks again and again until it is so. */
  readonly lookUntil: (what: string, isSo: () => boolean) => Promise<void>;
  readonly stop: () => Promise<void>;
}

const decode = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString('utf8');

/** Every file takes an octet of its own: `10.53.OCTET.1` and so on. */
export async function startGround(octet: number): Promise<Ground> {
  const at = (last: number): string => `10.53.${octet}.${last}`;
  const addresses = { ns1: at(1), ns2: at(2), resolver: at(3), caResolver: at(4), pebble: at(5), mx: at(20) };
  for (const address of Object.values(addresses)) await addAddress(address);
  const dir = newFolder('strangers');
  const objects = createLabObjects();
  const { kube } = objects;
  const { keep, stop } = collectParts();
  try {
    const bind = keep(
      await startBind({
        dir: join(dir, 'bind'),
        primary: { v4: addresses.ns1 },
        secondary: { v4: addresses.ns2 },
        zones: [
          { name: zone, records: `@ MX 10 mx1\nmx1 A ${addresses.mx}`, ttl: 2, negativeTtl: 2 },
          { name: bogusZone, security: 'bogus' },
        ],
      }),
    );
    keep(
      await startUnbound({
        dir: join(dir, 'unbound'),
        addresses: [addresses.resolver],
        trustAnchors: bind.trustAnchors,
        stubs: [{ zone: 'test', servers: [addresses.ns1, addresses.ns2] }],
      }),
    );
    // What our looks leave in a cache is nothing that a CA's resolver would know.
    keep(
      await startUnbound({
        dir: join(dir, 'unbound-ca'),
        addresses: [addresses.caResolver],
        trustAnchors: bind.trustAnchors,
        stubs: [{ zone: 'test', servers: [addresses.ns1, addresses.ns2] }],
      }),
    );
    const binary = toolPath('pebble');
    const pebbleSpec = { dir: join(dir, 'pebble'), binary, address: addresses.pebble, dnsServer: addresses.caResolver };
    const pebble = keep(await startPebble(pebbleSpec));
    const mxSpec = { name: mxHost, v4: addresses.mx, resolver: addresses.resolver, domains: [zone] };
    const mx = keep(await startPostfixMx({ dir: join(dir, 'mx'), ...mxSpec }));
    const acme = { server: pebble.directoryUrl, caBundle: readFileSync(pebble.caFile, 'utf8') };
    await objects.make('CertificateIssuer', 'ca', { default: true, acme });
    await objects.make('MailExchanger', 'mx', { hosts: [mxHost], dane: { ttlSeconds: 2 } }, 'mail');
    await objects.grantZone(zone, addresses.ns1, bind.tsig);
    const outside = createResolver({ view: 'outside', servers: [`udp://${addresses.resolver}:53`] });
    keep({ stop: async () => outside.close() });
    const tested = await outside.selfTest(zone, bogusZone);
    if (tested !== 'Validating') throw new Error(tested.problem);
    const start = (): World =>
      createLabWorld(objects, { id: 'strangers-lab', outside, flags: [`--allow-addresses=10.53.${octet}.0/24`] });
    let world = start();
    const exchanger = (): MailExchanger | undefined => objects.one('MailExchanger', 'mx');
    const mounted: Ground['mounted'] = () => {
      const secret = objects.one<SecretObject>('Secret', 'mx-tls');
      return secret && { key: decode(secret.data?.['tls.key']), chain: decode(secret.data?.['tls.crt']) };
    };
    return {
      dir,
      bind,
      pebble,
      mx,
      addresses,
      start: () => {
        world = start();
      },
      ask: async (wish) => {
        const object = exchanger();
        if (object === undefined) throw new Error('there is no exchanger');
        await kube.replace({ ...object, metadata: { ...object.metadata, annotations: { [rotateNow]: wish } } });
      },
      objects: () => kube.dump(),
      exchanger,
      isReady: () =>
        (['Deployed', 'DANEReady'] as const).every(
          (type) => conditionOf(exchanger()?.status?.conditions, type)?.status === 'True',
        ),
      state: () => {
        const found = objects
          .all<SecretObject>('Secret')
          .find(({ metadata }) => metadata.labels?.['mailseal.dev/state'] === 'exchanger');
        return found && (JSON.parse(decode(found.data?.['state.json'])) as ExchangerState);
      },
      mounted,
      take: async () => {
        const pair = mounted();
        writeFileSync(mx.chainFile, `${pair?.key ?? ''}${pair?.chain ?? ''}`, { mode: 0o600 });
        await mx.reload();
      },
      lookUntil: async (what, isSo) => {
        const look = async (): Promise<boolean> => {
          await reconcileExchanger(world, 'mail', 'mx');
          return isSo();
        };
        await waitFor(what, look, { everyMs: 200, timeoutMs: 100_000 }).catch((error: unknown) => {
          throw new Error(`${what}: ${JSON.stringify(exchanger()?.status)}`, { cause: error });
        });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
