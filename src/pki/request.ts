/** Certificate requests (RFC 2986) as ACME wants them: names and a key, in DER. */

/** `length`: of the contents. X.690 §8.1.3. */
function header(tag: number, length: number): Buffer {
  if (length < 0x80) return Buffer.from([tag, length]);
  const octets = length < 0x100 ? [length] : [length >> 8, length & 0xff];
  if (length > 0xffff) throw new Error(`a certificate request of ${length} octets is too long`);
  return Buffer.from([tag, 0x80 | octets.length, ...octets]);
}

function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return Buffer.concat([header(tag, length), ...contents]);
}

const sequence = (...contents: readonly Uint8Array[]): Buffer => element(0x30, ...contents);
const identifier = (hex: string): Buffer => element(0x06, Buffer.from(hex, 'hex'));

/** 1.2.840.113549.1.9.14 and 2.5.29.17 */
const [extensionRequest, subjectAltName] = [identifier('2a864886f70d01090e'), identifier('551d11')];

export type RequestKey = 'ec' | 'rsa';

/** What each kind of key signs with: ecdsa-with-SHA256 (RFC 5758 §3.2), sha256WithRSAEncryption (RFC 4055 §5). */
const signers: Readonly<Record<RequestKey, Buffer>> = {
  ec: sequence(identifier('2a8648ce3d040302')),
  rsa: sequence(identifier('2a864886f70d01010b'), element(0x05)),
};

/** The part that is signed. `spki`: the public key's SubjectPublicKeyInfo. RFC 8555 §7.4: all names are in the extension. */
export function requestInfo(names: readonly string[], spki: Uint8Array): Buffer {
  // RFC 5280 §4.2.1.6: dNSName is an IA5String, number 2 of the choice.
  const all = sequence(...names.map((name) => element(0x82, Buffer.from(name, 'ascii'))));
  const extensions = sequence(sequence(subjectAltName, element(0x04, all)));
  const attributes = element(0xa0, sequence(extensionRequest, element(0x31, extensions)));
  const version = element(0x02, Buffer.of(0));
  return sequence(version, sequence(), spki, attributes);
}

/** `signature`: over `info` with SHA-256; of an EC key in DER. */
export const signedRequest = (info: Uint8Array, kind: RequestKey, signature: Uint8Array): Buffer =>
  sequence(info, signers[kind], element(0x03, Buffer.of(0), signature));
