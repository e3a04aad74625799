/** Certificate requests (RFC 2986), written in DER (X.690): every order needs one, and a library takes milliseconds. */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';

const tags = { integer: 0x02, bits: 0x03, octets: 0x04, null: 0x05, oid: 0x06, sequence: 0x30, set: 0x31 } as const;
/** Context-specific: the request's attributes, and a DNS name among a certificate's names (RFC 5280 §4.2.1.6). */
const [attributesTag, dnsNameTag] = [0xa0, 0x82];

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const { length } = Buffer.concat(contents);
  const octets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  if (length > 0xffff) throw new Error(`${length} bytes are too many for one element of a certificate request`);
  return Buffer.concat([Buffer.of(tag, ...octets), ...contents]);
}

const oid = (hex: string): Buffer => der(tags.oid, Buffer.from(hex, 'hex'));
const extensionRequest = oid('2a864886f70d01090e');
const subjectAltName = oid('551d11');

function algorithmOf({ asymmetricKeyType }: KeyObject): Buffer {
  // RFC 5758 §3.2: ecdsa-with-SHA256 has no parameters; RFC 4055 §5: sha256WithRSAEncryption has NULL.
  if (asymmetricKeyType === 'ec') return der(tags.sequence, oid('2a8648ce3d040302'));
  if (asymmetricKeyType === 'rsa') return der(tags.sequence, oid('2a864886f70d01010b'), der(tags.null));
  throw new Error(`no certificate is asked for with a key of the kind ${asymmetricKeyType}`);
}

/**
 * A certificate request for these DNS names, which has no subject, signed with this key: DER.
 * @throws Error if the text is no private key, or none of the kinds that Mailseal makes.
 */
export function certificateRequest(names: readonly string[], keyPem: string): Buffer {
  const key = createPrivateKey(keyPem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const altNames = der(tags.sequence, ...names.map((name) => der(dnsNameTag, Buffer.from(name, 'ascii'))));
  const extensions = der(tags.sequence, der(tags.sequence, subjectAltName, der(tags.octets, altNames)));
  const attribute = der(tags.sequence, extensionRequest, der(tags.set, extensions));
  const version = der(tags.integer, Buffer.of(0));
  const info = der(tags.sequence, version, der(tags.sequence), publicKey, der(attributesTag, attribute));
  const signature = der(tags.bits, Buffer.of(0), sign('sha256', info, key));
  return der(tags.sequence, info, algorithmOf(key), signature);
}
