interface Element {
  readonly tag: number;
  /** Of the whole element, of its content, and after it. */
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/**
 * The SubjectPublicKeyInfo of a certificate exactly as its DER has it: OpenSSL would write it anew, and the digest
 * might differ for keys with unusual encodings. Undefined where the bytes are no certificate. Source: RFC 5280 §4.1.
 */
export function spkiOf(certificate: Uint8Array): Uint8Array | undefined {
  const outer = elementAt(certificate, 0, certificate.length);
  if (outer?.tag !== 0x30) return undefined;
  const tbs = elementAt(certificate, outer.content, outer.end);
  if (tbs?.tag !== 0x30) return undefined;
  let at = tbs.content;
  // The version is optional; serial number, signature algorithm, issuer, validity and subject are not.
  const first = elementAt(certificate, at, tbs.end);
  const before = first?.tag === 0xa0 ? 6 : 5;
  for (let skip = 0; skip < before; skip += 1) {
    const element = elementAt(certificate, at, tbs.end);
    if (element === undefined) return undefined;
    at = element.end;
  }
  const spki = elementAt(certificate, at, tbs.end);
  return spki?.tag === 0x30 ? certificate.subarray(spki.start, spki.end) : undefined;
}

/** One DER element with a definite length of at most four octets (X.690 §8.1.3). */
function elementAt(der: Uint8Array, start: number, limit: number): Element | undefined {
  const tag = der[start];
  const first = der[start + 1];
  if (tag === undefined || first === undefined || start + 2 > limit) return undefined;
  const octets = first < 0x80 ? 0 : first - 0x80;
  if (first === 0x80 || octets > 4) return undefined;
  let length = octets === 0 ? first : 0;
  for (let index = 0; index < octets; index += 1) length = length * 256 + (der[start + 2 + index] ?? 0);
  const content = start + 2 + octets;
  return content + length > limit ? undefined : { tag, start, content, end: content + length };
}
