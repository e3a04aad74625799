/** The patterns of text fields, and what exactly is wrong with a text. RE2, which CEL has, reads the patterns as JavaScript does. */
import { X509Certificate } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { type NameRule, toALabel } from '../dns/names.ts';
import { quoted } from '../dns/problem.ts';
import { checkRua } from '../tlsrpt/record.ts';

// RFC 3986: what a URI may hold, without what ends it in the record, and without what a TXT string would need quoted.
export const mailUri: RegExp =
  /^mailto:[A-Za-z0-9._~$&\x27*+=/^|{}%-]+@[A-Za-z0-9.-]+(\?[A-Za-z0-9._~$&*+=:@%/?-]*)?$/u;
export const webUri: RegExp = /^https:\/\/[A-Za-z0-9.:[\]-]+([/?][A-Za-z0-9._~$&*+=:@%/?-]*)?$/u;
export const encodedControl: RegExp = /%([01][0-9A-Fa-f]|7[Ff])/u;

export const objectName: RegExp = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u;
export const namespaceName: RegExp = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u;
export const keyName: RegExp = /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/u;
export const email: RegExp = /^[A-Za-z0-9.!$\x27*+=^_{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$/u;
export const httpsUrl: RegExp =
  /^https:\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?][A-Za-z0-9._~!$&*+,=:%/?-]*)?$/u;
export const apiUrl: RegExp = new RegExp(httpsUrl.source.replace('^https', '^https?'), 'u');
export const token: RegExp = /^[A-Za-z0-9._-]+$/u;
export const roleArn: RegExp = /^arn:aws(-[a-z-]+)?:iam::[0-9]{12}:role\/[A-Za-z0-9+=,.@_/-]+$/u;
export const labelName: RegExp =
  /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u;
export const labelValue: RegExp = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u;
export const externalId: RegExp = /^[A-Za-z0-9_+=,.@:-]{2,}$/u;
export const time: RegExp = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$/u;
export const keyId: RegExp = /^[A-Za-z0-9_+=][A-Za-z0-9._~+=-]*$/u;
export const commonName: RegExp = /^[A-Za-z0-9]+([ .,&+-]{1,2}[A-Za-z0-9]+)*$/u;
export const profile: RegExp = /^[A-Za-z0-9._-]+$/u;

export function nameProblem(mend: string, rule: NameRule = {}): (text: string) => string | undefined {
  return (text) => {
    const parsed = toALabel(text, rule);
    return parsed.ok ? undefined : `${parsed.problem}; ${mend}`;
  };
}

export function matching(pattern: RegExp, what: string): (text: string) => string | undefined {
  return (text) => (pattern.test(text) ? undefined : `${quoted(text)} is ${what}`);
}

export function urlProblem(text: string, plain: 'https' | 'httpToo' = 'https'): string | undefined {
  const url = URL.parse(text);
  if (url === null) return `${quoted(text)} is not a URL; write it as https://host/path`;
  const isPlain = plain === 'httpToo' && url.protocol === 'http:';
  if (url.protocol !== 'https:' && !isPlain) return `${quoted(text)} is not an https URL; only https is spoken`;
  if (url.username !== '' || url.password !== '') return 'holds a user name or password; leave them out';
  // A URL parser drops or encodes what is not a URL: it would mean another place than it shows.
  return (isPlain ? apiUrl : httpsUrl).test(text) && !encodedControl.test(text)
    ? undefined
    : `${quoted(text)} holds a character that it may not; write it as https://host/path`;
}

export function reportProblem(text: string): string | undefined {
  // RFC 8460 §3: a comma, exclamation mark or semicolon inside a URI is percent-encoded.
  const raw = /[,!;]/u.exec(text)?.[0];
  if (raw !== undefined) {
    const hex = raw.charCodeAt(0).toString(16).toUpperCase();
    return `${quoted(text)} holds ${quoted(raw)}; write it as %${hex}, or give each address a list item of its own`;
  }
  const parsed = checkRua(text);
  if (parsed.ok && (mailUri.test(text) || webUri.test(text)) && !encodedControl.test(text)) return undefined;
  return `${quoted(text)} is not a report address; write mailto:name@example.net or https://host/path`;
}

export function certificateProblem(text: string): string | undefined {
  if (text.includes('PRIVATE KEY')) return 'holds a private key; remove it and treat it as exposed';
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/gu) ?? [];
  if (blocks.length === 0) return 'holds no certificate; give PEM blocks that begin with -----BEGIN CERTIFICATE-----';
  const broken = blocks.findIndex((block) => !isCertificate(block));
  return broken < 0
    ? undefined
    : `holds a PEM block (number ${broken + 1}) that is no X.509 certificate; copy it again`;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    // node:crypto says no more than that it can't read it.
    return false;
  }
}

export function serverProblem(text: string): string | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/u.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  const valid =
    bracketed === undefined && plain !== undefined
      ? ipaddr.IPv4.isValidFourPartDecimal(address)
      : ipaddr.IPv6.isValid(address);
  if (!valid) return `${quoted(text)} is not an address; write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53`;
  const portNumber = port === undefined ? 53 : Number(port);
  return portNumber >= 1 && portNumber <= 65_535 ? undefined : `has port ${port}; ports are 1 to 65535`;
}
