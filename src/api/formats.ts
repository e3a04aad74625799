/**
 * The forms that text fields may have. Each stands once: `cel` for the API server, with a message, and `problem` for
 * the reconciler, which sees more (malformed IDN, PEM that is no certificate) and says what exactly is wrong.
 */
import { quoted } from '../dns/problem.ts';
import {
  apiUrl,
  certificateProblem,
  commonName,
  email,
  encodedControl,
  externalId,
  httpsUrl,
  keyId,
  keyName,
  labelName,
  labelValue,
  mailUri,
  matching,
  nameProblem,
  namespaceName,
  objectName,
  profile,
  reportProblem,
  roleArn,
  serverProblem,
  time,
  token,
  urlProblem,
  webUri,
} from './text-checks.ts';
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
  | 'keyId'
  | 'commonName'
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
  keyId: {
    ...tidy('must be the key id that the CA gave you: letters, digits and . _ ~ + = -', matches(keyId)),
    reason: 'InvalidSpec',
    problem: matching(keyId, 'no key id of a CA; write the one that it gave you, without its MAC key'),
  },
  commonName: {
    ...tidy('must be the common name of a CA, such as ISRG Root X1', matches(commonName)),
    reason: 'InvalidSpec',
    problem: matching(commonName, 'no common name of a CA; write it as it stands in the certificate, without CN='),
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
