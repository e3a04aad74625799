/** A strict, bounded reader of DER (X.690 §8, §10): just enough to find fields of a certificate as they stand there. */

export interface Element {
  readonly tag: number;
  /** Offset of the tag, of the first octet of the contents, and of the octet after them. */
  readonly start: number;
  readonly contents: number;
  readonly end: number;
}

/** The element at `offset`, which must end at or before `limit`; undefined where the bytes are no DER. */
export function readElement(bytes: Uint8Array, offset: number, limit: number = bytes.length): Element | undefined {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  let contents = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > 3) return undefined;
    length = 0;
    for (let n = 0; n < octets; n++) length = length * 256 + (bytes[contents + n] ?? 0);
    contents += octets;
  }
  const end = contents + length;
  return end > limit || end > bytes.length ? undefined : { tag, start: offset, contents, end };
}

/** The elements inside `parent`, in order; undefined where they don't fill it exactly. */
export function readChildren(bytes: Uint8Array, parent: Element): readonly Element[] | undefined {
  const children: Element[] = [];
  let offset = parent.contents;
  while (offset < parent.end) {
    const child = readElement(bytes, offset, parent.end);
    if (child === undefined) return undefined;
    children.push(child);
    offset = child.end;
  }
  return children;
}

const explicitVersion = 0xa0;
const explicitExtensions = 0xa3;

export interface CertificateFields {
  /** The SubjectPublicKeyInfo, byte for byte. */
  readonly spki: Uint8Array;
  /** The contents of the serial number's INTEGER, sign octet included. */
  readonly serial: Uint8Array;
  readonly extensions: readonly Element[];
}

/** Cuts a certificate (RFC 5280 §4.1) into the fields that Node does not give as they were sent. */
export function certificateFields(der: Uint8Array): CertificateFields | undefined {
  const certificate = readElement(der, 0);
  const tbs = certificate === undefined ? undefined : readElement(der, certificate.contents, certificate.end);
  const fields = tbs === undefined ? undefined : readChildren(der, tbs);
  if (fields === undefined) return undefined;
  // version, serial, signature, issuer, validity, subject, subjectPublicKeyInfo; version 1 leaves the version out.
  const skip = fields[0]?.tag === explicitVersion ? 1 : 0;
  const serial = fields[skip];
  const spki = fields[skip + 5];
  if (serial?.tag !== 0x02 || spki?.tag !== 0x30) return undefined;
  const wrapper = fields.find((field) => field.tag === explicitExtensions);
  const list = wrapper === undefined ? undefined : readElement(der, wrapper.contents, wrapper.end);
  return {
    spki: der.subarray(spki.start, spki.end),
    serial: der.subarray(serial.contents, serial.end),
    extensions: list === undefined ? [] : (readChildren(der, list) ?? []),
  };
}

/** The contents of an extension's value by its OBJECT IDENTIFIER's contents in hex; undefined where it is absent. */
export function extensionValue(der: Uint8Array, fields: CertificateFields, oid: string): Uint8Array | undefined {
  for (const extension of fields.extensions) {
    const parts = readChildren(der, extension) ?? [];
    const [id] = parts;
    const value = parts.at(-1);
    if (id === undefined || value?.tag !== 0x04) continue;
    if (Buffer.from(der.subarray(id.contents, id.end)).toString('hex') === oid) {
      return der.subarray(value.contents, value.end);
    }
  }
  return undefined;
}
