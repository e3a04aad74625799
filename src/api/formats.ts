/**
 * The forms that text fields may have. Each stands once: `cel` for the API server, with a message, and `problem` for
 * the reconciler, which sees more (malformed IDN, PEM that is no certificate) and says what exactly is wrong.
 */
import { X509Certificate } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { type NameRule, toALabel } from '../dns/names.ts';
import { quoted } from '../dns/problem.ts';
import { checkRua } from '../tlsrpt/record.ts';
import type { Reason } from './reasons.ts';

export type Format =
  | 'domain'
  | 'host'
  | 'zone'
  | 'objectName'
  | 'namespaceName'
  | 'httpsUrl'
  | 'apiUrl'
  | 'token'
  | 'roleArn'
  | 'labelName'
  | 'labelValue'
  | 'externalId'
  | 'reportUri'
  | 'email'
  | 'certificates'
  | 'serverAddress'
  | 'keyName'
  | 'profile'
  | 'time';

interface FormatDefinition {
  /** Over `self`; each true where the text is well formed. */
  readonly cel: string;
  /** The rule and the mend, for the API server and the docs. */
  readonly message: string;
  readonly reason: Reason;
  /** What is wrong, as the end of a sentence that begins with the field's path; undefined where nothing is. */
  readonly problem: (text: string) => string | undefined;
}

// Characters that a label may hold: no control, blank or punctuation but the hyphen, nothing invisible but the two joiners
// that some scripts need; what else U-labels may hold IDNA judges later. Half a surrogate pair arrives as U+FFFD.
const never = String.raw`\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x9f\p{Cf}\p{Z}\x{fffd}`;
const labelOf = (more: string): string => String.raw`([^${never}${more}]|\x{200c}|\x{200d}){1,63}`;
const label = labelOf('_');
const noStrayHyphen = String.raw`!self.matches(r'(^|\.)-|-(\.|$)')`;
const notANumber = String.raw`!self.matches(r'(^|\.)[0-9]+\.?$')`;
const nameCel = String.raw`self.matches(r'^(${label}\.)+${label}\.?$') && ${noStrayHyphen} && ${notANumber}`;

const tidy = (message: string, cel: string): Pick<FormatDefinition, 'cel' | 'message'> => ({ cel, message });

function nameProblem(mend: string, rule: NameRule = {}): (text: string) => string | undefined {
  return (text) => {
    const parsed = toALabel(text, rule);
    return parsed.ok ? undefined : `${parsed.problem}; ${mend}`;
  };
}

function matching(pattern: RegExp, what: string): (text: string) => string | undefined {
  return (text) => (pattern.test(text) ? undefined : `${quoted(text)} is ${what}`);
}

function urlProblem(text: string, plain: 'https' | 'httpToo' = 'https'): string | undefined {
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

// RFC 3986: what a URI may hold, without what ends it in the record, and without what a TXT string would need quoted.
const mailUri = /^mailto:[A-Za-z0-9._~$&\x27*+=/^|{}%-]+@[A-Za-z0-9.-]+(\?[A-Za-z0-9._~$&*+=:@%/?-]*)?$/u;
const webUri = /^https:\/\/[A-Za-z0-9.:[\]-]+([/?][A-Za-z0-9._~$&*+=:@%/?-]*)?$/u;
const encodedControl = /%([01][0-9A-Fa-f]|7[Ff])/u;

function reportProblem(text: string): string | undefined {
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

function certificateProblem(text: string): string | undefined {
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

function serverProblem(text: string): string | undefined {
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

const objectName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u;
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u;
const keyName = /^[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/u;
const email = /^[A-Za-z0-9.!$\x27*+=^_{|}~-]+@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+$/u;
const httpsUrl = /^https:\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?][A-Za-z0-9._~!$&*+,=:%/?-]*)?$/u;
const apiUrl = new RegExp(httpsUrl.source.replace('^https', '^https?'), 'u');
const token = /^[A-Za-z0-9._-]+$/u;
const roleArn = /^arn:aws(-[a-z-]+)?:iam::[0-9]{12}:role\/[A-Za-z0-9+=,.@_/-]+$/u;
const labelName = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u;
const labelValue = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/u;
const externalId = /^[A-Za-z0-9_+=,.@:-]{2,}$/u;
const time = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$/u;
const profile = /^[A-Za-z0-9._-]+$/u;

/** The regular expression as a CEL raw string. RE2 reads these patterns as JavaScript does. */
const matches = (pattern: RegExp): string => `self.matches(r'${pattern.source}')`;

export const formats: Readonly<Record<Format, FormatDefinition>> = {
  domain: {
    ...tidy('must be a mail domain such as example.com, as you would write it after the @', nameCel),
    reason: 'InvalidDomain',
    problem: nameProblem('write the domain as it stands after the @, such as example.com'),
  },
  host: {
    ...tidy('must be a host name such as mx1.example.com, not an address', nameCel),
    reason: 'InvalidHost',
    problem: nameProblem('write a full host name, such as mx1.example.com'),
  },
  zone: {
    ...tidy(
      'must be the name of a DNS zone such as example.com',
      String.raw`self.matches(r'^(${labelOf('')}\.)*${label}\.?$') && ${noStrayHyphen}`,
    ),
    reason: 'InvalidSpec',
    problem: nameProblem('write the zone as its SOA record is named, such as example.com', {
      minLabels: 1,
      underscore: true,
    }),
  },
  objectName: {
    ...tidy('must be the name of a Kubernetes object: a-z, 0-9, hyphens and dots', matches(objectName)),
    reason: 'InvalidSpec',
    problem: matching(objectName, 'no name of a Kubernetes object; use a-z, 0-9, hyphens and dots'),
  },
  namespaceName: {
    ...tidy('must be the name of a namespace: a-z, 0-9 and hyphens, at most 63', matches(namespaceName)),
    reason: 'InvalidSpec',
    problem: matching(namespaceName, 'no name of a namespace; use a-z, 0-9 and hyphens, at most 63'),
  },
  httpsUrl: {
    ...tidy(
      'must be an https URL without user name or password, such as https://acme.example.net/directory',
      `isURL(self) && ${matches(httpsUrl)} && !${matches(encodedControl)}`.replaceAll(String.raw`\/`, '/'),
    ),
    reason: 'InvalidSpec',
    problem: (text) => urlProblem(text),
  },
  apiUrl: {
    ...tidy(
      'must be a URL without user name or password, such as https://dns.example.net:8081',
      `isURL(self) && ${matches(apiUrl)} && !${matches(encodedControl)}`.replaceAll(String.raw`\/`, '/'),
    ),
    reason: 'InvalidSpec',
    problem: (text) => urlProblem(text, 'httpToo'),
  },
  token: {
    ...tidy('must be letters, digits, hyphens, dots and underscores', matches(token)),
    reason: 'InvalidSpec',
    problem: matching(token, 'no such name; use letters, digits, hyphens, dots and underscores'),
  },
  roleArn: {
    ...tidy(
      'must be the ARN of an IAM role, such as arn:aws:iam::123456789012:role/dns',
      matches(roleArn).replaceAll(String.raw`\/`, '/'),
    ),
    reason: 'InvalidSpec',
    problem: matching(roleArn, 'no ARN of an IAM role; write it as arn:aws:iam::123456789012:role/dns'),
  },
  labelName: {
    ...tidy('must be the name of a Kubernetes label', matches(labelName).replaceAll(String.raw`\/`, '/')),
    reason: 'InvalidSpec',
    problem: matching(labelName, 'no name of a Kubernetes label'),
  },
  labelValue: {
    ...tidy('must be the value of a Kubernetes label', matches(labelValue)),
    reason: 'InvalidSpec',
    problem: matching(labelValue, 'no value of a Kubernetes label'),
  },
  externalId: {
    ...tidy(
      'must be an external id of AWS: letters, digits and _+=,.@:-, at least two',
      matches(externalId).replaceAll(String.raw`\/`, '/'),
    ),
    reason: 'InvalidSpec',
    problem: matching(externalId, 'no external id of AWS; use letters, digits and _+=,.@:-, at least two'),
  },
  reportUri: {
    ...tidy(
      'must be mailto:name@example.net or https://host/path, with , ! and ; percent-encoded (RFC 8460 §3)',
      `(${matches(mailUri)} || ${matches(webUri)}) && !${matches(encodedControl)}`.replaceAll(String.raw`\/`, '/'),
    ),
    reason: 'InvalidSpec',
    problem: reportProblem,
  },
  email: {
    ...tidy('must be one address such as postmaster@example.com', matches(email)),
    reason: 'InvalidSpec',
    problem: matching(email, 'not an address; write it as postmaster@example.com'),
  },
  certificates: {
    ...tidy(
      'must be certificates in PEM, without private keys',
      "self.contains('-----BEGIN CERTIFICATE-----') && !self.contains('PRIVATE KEY')",
    ),
    reason: 'InvalidSpec',
    problem: certificateProblem,
  },
  serverAddress: {
    ...tidy(
      'must be an address with or without a port: 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53',
      String.raw`isIP(self) || self.matches(r'^([0-9.]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$')`,
    ),
    reason: 'InvalidSpec',
    problem: serverProblem,
  },
  keyName: {
    ...tidy('must be the name of a TSIG key as the server has it: letters, digits, hyphens, dots', matches(keyName)),
    reason: 'InvalidSpec',
    problem: matching(keyName, 'no name of a TSIG key; write it as in the key statement of the name server'),
  },
  profile: {
    ...tidy('must be the name of a certificate profile of the CA, such as tlsserver', matches(profile)),
    reason: 'InvalidSpec',
    problem: matching(profile, 'no name of a certificate profile; see `meta.profiles` in the directory of the CA'),
  },
  time: {
    ...tidy('must be a time such as 2026-11-22T14:05:00Z', matches(time)),
    reason: 'InvalidSpec',
    problem: (text) =>
      time.test(text) && !Number.isNaN(Date.parse(text))
        ? undefined
        : `${quoted(text)} is not a time; write it as 2026-11-22T14:05:00Z`,
  },
};
