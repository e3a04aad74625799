import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '@peculiar/x509';

/** The DNS names that a certificate request (DER) asks for. */
export function namesInRequest(der: Buffer): readonly string[] {
  const request = new Pkcs10CertificateRequest(Uint8Array.from(der));
  const names = request.extensions.flatMap((one) => (one instanceof SubjectAlternativeNameExtension ? [one] : []));
  return names.flatMap((one) => one.names.items.flatMap(({ type, value }) => (type === 'dns' ? [value] : [])));
}
