/** Certificates, keys and names as they lie in Secrets. */
import { X509Certificate } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Thing } from '../sightings.ts';

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu;

/** Leaf first; throws where a block is not a certificate. */
export const certificatesIn = (pem: string): readonly X509Certificate[] =>
  [...pem.matchAll(block)].map(([one]) => new X509Certificate(one));

export const textOf = ({ data = {} }: Thing, key: string): string =>
  Buffer.from(data[key] ?? '', 'base64').toString('utf8');

export const namesOf = (leaf: X509Certificate): readonly string[] =>
  (leaf.subjectAltName ?? '')
    .split(', ')
    .flatMap((one) => (one.startsWith('DNS:') ? [one.slice(4).toLowerCase()] : []));

/** RFC 6125 §6.4.3: a wildcard stands for one label. */
export const covers = (names: readonly string[], host: string): boolean =>
  names.some((name) => name === host || (name.startsWith('*.') && host.slice(host.indexOf('.')) === name.slice(1)));

export interface ShardHost {
  readonly policy: string | null;
  readonly certificate: string;
  readonly key: string;
}

/** What a Secret holds as JSON under a key; undefined where it has no such key, or somebody wrote over what it held. */
export function jsonOf(thing: Thing, key: string): unknown {
  const packed = thing.data?.[`${key}.gz`];
  try {
    return JSON.parse(
      packed === undefined ? textOf(thing, key) : gunzipSync(Buffer.from(packed, 'base64')).toString('utf8'),
    );
  } catch {
    return undefined; // Whoever reads it can make nothing of it either.
  }
}

/** By host; empty where the Secret is no shard of the policy pods. */
export const shardOf = (thing: Thing): Readonly<Record<string, ShardHost>> =>
  (jsonOf(thing, 'shard.json') as { readonly hosts?: Readonly<Record<string, ShardHost>> } | undefined)?.hosts ?? {};
