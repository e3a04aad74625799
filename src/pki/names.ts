/** The names of a certificate and what they stand for. */

/**
 * The DNS names of a subject alternative name as Node prints it, in lower case. Node quotes an entry that holds
 * anything odd; such an entry is no host name and is left out, so that none can smuggle a second name in.
 */
export function dnsNames(subjectAltName: string | undefined): readonly string[] {
  if (subjectAltName === undefined) return [];
  const entries = subjectAltName.matchAll(/([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gy);
  const names: string[] = [];
  for (const [, kind, value] of entries) {
    if (kind === 'DNS' && value !== undefined && /^[\w.*-]{1,255}$/.test(value)) names.push(value.toLowerCase());
  }
  return names;
}

const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/**
 * Whether one of the certificate's DNS names stands for `host`. `host` may itself be a wildcard, which only the same
 * wildcard covers. The subject's common name never counts.
 */
export function matchesHost(names: readonly string[], host: string): boolean {
  const wanted = canonical(host);
  if (wanted === '') return false;
  return names.some((name) => {
    const given = canonical(name);
    if (given === wanted) return true;
    // RFC 8461 §4.2, RFC 6125 §6.4.3: a wildcard is the whole left-most label and stands for exactly one label.
    if (!given.startsWith('*.') || wanted.startsWith('*.')) return false;
    const rest = given.slice(2);
    const dot = wanted.indexOf('.');
    return dot > 0 && !rest.includes('*') && rest.includes('.') && wanted.slice(dot + 1) === rest;
  });
}
