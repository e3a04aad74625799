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

/** By host; empty where the Secret is no shard of the policy pods. */
export function shardOf(thing: Thing): Readonly<Record<string, ShardHost>> {
  const { data = {} } = thing;
  const packed = data['shard.json.gz'];
  const text =
    packed === undefined ? textOf(thing, 'shard.json') : gunzipSync(Buffer.from(packed, 'base64')).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as { hosts: Readonly<Record<string, ShardHost>> }).hosts;
}
