/** Keys and their fingerprints as the chain of trust names them: by tag and algorithm. */

/** What names a key in a DS or an RRSIG; two keys of a zone may share it by chance, and then count as one. */
export interface KeyId {
  readonly tag: number;
  readonly algorithm: number;
}

export interface ZoneKey extends KeyId {
  /** It is one that the parent may name (SEP, RFC 4034 §2.1.1). */
  readonly entry: boolean;
  /** RFC 5011 §2.1: a revoked key is on its way out, and vouches for nothing. */
  readonly revoked: boolean;
}

const zoneKeyFlag = 0x0100;
const revokedFlag = 0x0080;
const entryFlag = 0x0001;

/** Algorithms that zones are signed with (IANA, DNS Security Algorithm Numbers). */
const algorithms: Readonly<Record<number, string>> = {
  5: 'RSASHA1',
  7: 'RSASHA1-NSEC3-SHA1',
  8: 'RSASHA256',
  10: 'RSASHA512',
  13: 'ECDSAP256SHA256',
  14: 'ECDSAP384SHA384',
  15: 'ED25519',
  16: 'ED448',
};

export const algorithmName = (number: number): string => algorithms[number] ?? `algorithm ${number}`;

export const keyText = ({ tag, algorithm }: KeyId): string => `${tag} (${algorithmName(algorithm)})`;

export const sameKey = (a: KeyId, b: KeyId): boolean => a.tag === b.tag && a.algorithm === b.algorithm;

// RFC 4034 appendix B: the sum of the 16-bit words, with its carry.
function tagOf(rdata: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of rdata.entries()) sum += index % 2 === 0 ? byte * 256 : byte;
  return (sum + Math.floor(sum / 65_536)) & 0xffff;
}

/** The keys of DNSKEY or CDNSKEY values as Answer has them; what is no key of a zone is left out. */
export function readKeys(values: readonly string[]): readonly ZoneKey[] {
  return values.flatMap((value) => {
    const [flagsText = '', protocol = '', algorithmText = '', data = ''] = value.split(' ');
    const [flags, algorithm] = [Number(flagsText), Number(algorithmText)];
    if ((flags & zoneKeyFlag) === 0) return [];
    const rdata = Buffer.concat([
      Buffer.of(flags >> 8, flags & 0xff, Number(protocol), algorithm),
      Buffer.from(data, 'base64'),
    ]);
    const revoked = (flags & revokedFlag) !== 0;
    return [{ tag: tagOf(rdata), algorithm, entry: (flags & entryFlag) !== 0, revoked }];
  });
}

/** The keys that DS or CDS values name, each once however many digests it has. */
export function readDs(values: readonly string[]): readonly KeyId[] {
  const all = values.map((value): KeyId => {
    const [tag = '', algorithm = ''] = value.split(' ');
    return { tag: Number(tag), algorithm: Number(algorithm) };
  });
  return distinct(all);
}

/** Each key once. */
export function distinct<K extends KeyId>(keys: readonly K[]): readonly K[] {
  return keys.filter((key, at) => keys.findIndex((other) => sameKey(other, key)) === at);
}
