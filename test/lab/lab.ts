/**
 * A mail world of its own, inside the namespaces of a lab: a cluster, DNS with DNSSEC, a CA, MX hosts and senders.
 * Whoever asks gets the parts that are named, all at once, and takes them down together.
 */
import { join } from 'node:path';
import { type ControlPlane, startControlPlane } from './controlplane.ts';
import { type Bind, startBind } from './dns.ts';
import type { ZoneSpec } from './dns-zone.ts';
import { startUnbound, type Unbound } from './dns-unbound.ts';
import { createCa } from './mail-ca.ts';
import { addAddress } from './namespace.ts';
import { type LabNode, startNode } from './node.ts';
import { type Pebble, type PebbleSpec, startPebble } from './pebble.ts';
import { type PostfixMx, startPostfixMx } from './postfix-mx.ts';
import { type PostfixSender, startPostfixSender } from './postfix-sender.ts';
import { toolPath } from './tools.ts';

/** Where everything is in every lab: each has a network of its own. */
export const places = {
  api: '10.53.0.2',
  node: '10.53.0.3',
  primary: { v4: '10.53.0.53', v6: 'fd53::53' },
  secondary: { v4: '10.53.0.54', v6: 'fd53::54' },
  inside: '10.53.0.55',
  outside: '10.53.0.56',
  caResolver: '10.53.0.57',
  acme: '10.53.0.60',
  mx1: '10.53.0.25',
  mx2: '10.53.0.26',
  policy: '10.53.0.80',
  /** What a private network may be probed at: all of the above. */
  ranges: ['10.53.0.0/16', '10.244.0.0/16', 'fd53::/64'],
} as const;

export const domain = 'example.test';

export interface Views {
  readonly inside: Unbound;
  readonly outside: Unbound;
  /** As the operator's `--outside-resolver` takes it: DoT with a pinned name. */
  readonly outsideUrl: string;
  /** PEM of the CA that signed the outside view's certificate. */
  readonly outsideCa: string;
  /** Makes all resolvers of the lab forget what they know of a zone. */
  readonly flush: (zone: string) => Promise<void>;
}

export interface Mail {
  readonly mx: readonly [PostfixMx, PostfixMx];
  readonly dane: PostfixSender;
  readonly mtaSts: PostfixSender;
}

export interface Lab {
  readonly controlPlane: ControlPlane;
  readonly node: LabNode | undefined;
  readonly bind: Bind;
  readonly views: Views;
  readonly pebble: Pebble;
  readonly mail: Mail;
  readonly stop: () => Promise<void>;
}

/** What somebody needs beside the example. */
export interface MoreWorld {
  readonly zones?: readonly ZoneSpec[];
  /** Domains that the two MX hosts take mail for too. */
  readonly domains?: readonly string[];
}

/** Example zones: one to work in, and the kinds of trouble that a zone can be in. */
const zones = [
  { name: 'test', allowUpdate: false },
  {
    name: domain,
    records: ['@ MX 10 mx1', '@ MX 20 mx2', `mx1 A ${places.mx1}`, `mx2 A ${places.mx2}`, 'sender A 10.53.0.31'].join(
      '\n',
    ),
  },
  { name: 'insecure.test', security: 'insecure', records: `@ MX 10 mx1\nmx1 A ${places.mx1}` },
  { name: 'bogus.test', security: 'bogus', records: `@ MX 10 mx1\nmx1 A ${places.mx1}` },
] as const;

export async function startDns(
  dir: string,
  more: readonly ZoneSpec[] = [],
): Promise<{ readonly bind: Bind; readonly views: Views; readonly stop: () => Promise<void> }> {
  const { primary, secondary } = places;
  for (const address of [
    primary.v4,
    primary.v6,
    secondary.v4,
    secondary.v6,
    places.inside,
    places.outside,
    places.caResolver,
  ]) {
    await addAddress(address);
  }
  const [bind, ca] = await Promise.all([
    startBind({ dir: join(dir, 'bind'), primary, secondary, zones: [...zones, ...more] }),
    createCa(join(dir, 'ca'), 'Resolver CA'),
  ]);
  const tls = await ca.issue({
    path: join(dir, 'ca', 'outside'),
    names: ['outside.test'],
    addresses: [places.outside],
  });
  const stubs = bind.zones.map((zone) => ({ zone, servers: [primary.v4, secondary.v4] }));
  const common = { trustAnchors: bind.trustAnchors, stubs } as const;
  const all = await Promise.all([
    startUnbound({ ...common, dir: join(dir, 'inside'), addresses: [places.inside] }),
    startUnbound({ ...common, dir: join(dir, 'outside'), addresses: [places.outside], tls }),
    // A CA asks by itself: what others asked of a zone a moment ago denies it nothing.
    startUnbound({ ...common, dir: join(dir, 'ca-resolver'), addresses: [places.caResolver] }),
  ]);
  const [inside, outside] = all;
  const flush = async (zone: string): Promise<void> => void (await Promise.all(all.map((one) => one.flush(zone))));
  const views = { inside, outside, outsideUrl: `tls://${places.outside}:853#outside.test`, outsideCa: ca.pem, flush };
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((one) => one.stop()));
    await bind.stop();
  };
  return { bind, views, stop };
}

export async function startAcme(
  dir: string,
  options: Pick<PebbleSpec, 'keyAlgorithm' | 'validitySeconds'> = {},
): Promise<Pebble> {
  await addAddress(places.acme);
  return startPebble({
    ...options,
    dir: join(dir, 'pebble'),
    binary: toolPath('pebble'),
    address: places.acme,
    dnsServer: places.caResolver,
  });
}

/** Two MX hosts without a useful certificate, and two senders that accept no mere opportunity. */
export async function startMail(
  dir: string,
  trust: { readonly caFile: string },
  more: readonly string[] = [],
): Promise<Mail & { readonly stop: () => Promise<void> }> {
  for (const address of [places.mx1, places.mx2]) await addAddress(address);
  const mx = (name: 'mx1' | 'mx2'): Promise<PostfixMx> =>
    startPostfixMx({
      dir: join(dir, name),
      name: `${name}.${domain}`,
      v4: places[name],
      resolver: places.inside,
      domains: [domain, ...more],
    });
  const [mx1, mx2, dane, mtaSts] = await Promise.all([
    mx('mx1'),
    mx('mx2'),
    startPostfixSender({ dir: join(dir, 'dane'), mode: 'dane-only', resolver: places.outside }),
    startPostfixSender({ dir: join(dir, 'mta-sts'), mode: 'mta-sts', resolver: places.outside, caFile: trust.caFile }),
  ]);
  const stop = async (): Promise<void> => void (await Promise.all([mx1, mx2, dane, mtaSts].map((part) => part.stop())));
  return { mx: [mx1, mx2], dane, mtaSts, stop };
}

/** A control plane, and with `node` one that runs pods. */
export async function startCluster(
  dir: string,
  options: { readonly node: boolean },
): Promise<{
  readonly controlPlane: ControlPlane;
  readonly node: LabNode | undefined;
  readonly stop: () => Promise<void>;
}> {
  await addAddress(places.api);
  const controlPlane = await startControlPlane({
    dir: join(dir, 'cluster'),
    address: places.api,
    auditLog: true,
    controllers: options.node,
  });
  const node = options.node
    ? await startNode(controlPlane, { address: places.node, nameservers: [places.inside] })
    : undefined;
  const stop = async (): Promise<void> => {
    await node?.stop();
    await controlPlane.stop();
  };
  return { controlPlane, node, stop };
}

/** Everything. `trust` writes the roots that senders trust, once the CA runs. */
export async function startLab(
  dir: string,
  trust: (pebble: Pebble) => Promise<{ readonly caFile: string }>,
  more: MoreWorld = {},
): Promise<Lab> {
  const world = async (): Promise<Omit<Lab, 'controlPlane' | 'node'>> => {
    const dns = await startDns(dir, more.zones);
    const pebble = await startAcme(dir);
    const { stop: stopMail, ...mail } = await startMail(dir, await trust(pebble), more.domains);
    const stop = async (): Promise<void> => {
      await stopMail();
      await pebble.stop();
      await dns.stop();
    };
    return { bind: dns.bind, views: dns.views, pebble, mail, stop };
  };
  const [cluster, rest] = await Promise.all([startCluster(dir, { node: true }), world()]);
  const stop = async (): Promise<void> => void (await Promise.all([cluster.stop(), rest.stop()]));
  return { ...rest, controlPlane: cluster.controlPlane, node: cluster.node, stop };
}
