/** CAA records (RFC 8659, RFC 8657): which CA may issue for a name, for which account, and proven by which method. */
import { trimBlanks } from './tags.ts';

/** How control of a name is proven to a CA, in the words of RFC 8555 §8. */
export type AcmeMethod = 'dns-01' | 'http-01';

/** Who asks a CA for a certificate. */
export interface CaaApplicant {
  /** The names that the CA takes for its own in CAA records; empty where it does not say. */
  readonly identities: readonly string[];
  /** Undefined where there is none yet. */
  readonly accountUrl: string | undefined;
  readonly method: AcmeMethod;
}

/**
 * Whether a set lets the applicant have a certificate, and why not. `Critical`: it holds a critical record that no CA
 * may pass over; `Issuer`: it names no CA that this could be; `Account`, `Method`: it names this CA, but not for our
 * account, or not by our method.
 */
export type CaaVerdict =
  | { readonly verdict: 'Allowed' }
  | {
      readonly verdict: 'Forbidden';
      readonly why: 'Critical' | 'Issuer' | 'Account' | 'Method';
      /** The records that decided, in the form of a zone file. */
      readonly records: readonly string[];
      /** The tag that a record for the applicant would have. */
      readonly tag: 'issue' | 'issuewild';
    };

interface Property {
  readonly critical: boolean;
  /** Lower case; empty where the record can't be read. */
  readonly tag: string;
  readonly value: string;
  readonly text: string;
}

interface Issue {
  /** Lower case; empty: nobody. */
  readonly issuer: string;
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

const criticalFlag = 128;
/** Tags whose meaning the CAs know (RFC 8659 §4, RFC 9495, and the registry of IANA). */
const knownTags: ReadonlySet<string> = new Set([
  'issue',
  'issuewild',
  'iodef',
  'issuemail',
  'issuevmc',
  'contactemail',
  'contactphone',
]);
const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/u;
const methodLabel = /^[A-Za-z0-9-]+$/u;

function readProperty(text: string): Property {
  const flags = Number.parseInt(text, 10);
  const [, tag = '', value = ''] = /^\d+ ([A-Za-z0-9]+) "([\s\S]*)"$/u.exec(text) ?? [];
  return { critical: (flags & criticalFlag) !== 0, tag: tag.toLowerCase(), value, text };
}

/** The value of an issue or issuewild property (RFC 8659 §4.2); undefined where it breaks the grammar. */
function readIssue(value: string): Issue | undefined {
  const [issuer = '', ...rest] = value.split(';').map(trimBlanks);
  const domain = issuer.toLowerCase();
  if (domain !== '' && !domain.split('.').every((part) => label.test(part))) return undefined;
  // The grammar has a semicolon with nothing behind it only where no parameter is given.
  const fields = rest.length === 1 && rest[0] === '' ? [] : rest;
  const parameters = fields.map((field): readonly [string, string] | undefined => {
    const equals = field.indexOf('=');
    const name = trimBlanks(field.slice(0, Math.max(equals, 0))).toLowerCase();
    const given = trimBlanks(field.slice(equals + 1));
    return label.test(name) && /^[\x21-\x7e]*$/u.test(given) ? [name, given] : undefined;
  });
  if (!parameters.every((parameter) => parameter !== undefined)) return undefined;
  return { issuer: domain, parameters };
}

const valuesOf = ({ parameters }: Issue, wanted: string): readonly string[] =>
  parameters.flatMap(([name, value]) => (name === wanted ? [value] : []));

/** How near one property comes to letting the applicant in; undefined where it does. */
function missOf(value: string, applicant: CaaApplicant): 'Issuer' | 'Account' | 'Method' | undefined {
  const issue = readIssue(value);
  // RFC 8659 §4.2: a value that breaks the grammar is one that names nobody.
  if (issue === undefined || issue.issuer === '') return 'Issuer';
  const { identities, accountUrl, method } = applicant;
  if (identities.length > 0 && !identities.some((identity) => identity.toLowerCase() === issue.issuer)) return 'Issuer';
  const accounts = valuesOf(issue, 'accounturi');
  // RFC 8657 §3: compared as text; a property with more than one can't be satisfied.
  if (accounts.length > 1) return 'Account';
  if (accounts.length === 1 && accountUrl !== undefined && accounts[0] !== accountUrl) return 'Account';
  const methods = valuesOf(issue, 'validationmethods');
  if (methods.length === 0) return undefined;
  // RFC 8657 §4; the grammar has no blanks between the methods.
  const named = methods.flatMap((list) => list.split(','));
  const readable = methods.length === 1 && named.every((one) => methodLabel.test(one));
  return readable && named.includes(method) ? undefined : 'Method';
}

/**
 * Judges the set that is relevant for a name (RFC 8659 §3), as the resolver's text has it: `0 issue "ca.example"`.
 * Where the CA does not say who it is, only what forbids it whoever it is counts.
 */
export function judgeCaa(set: readonly string[], wildcard: boolean, applicant: CaaApplicant): CaaVerdict {
  const properties = set.map(readProperty);
  const wild = properties.filter(({ tag }) => tag === 'issuewild');
  // RFC 8659 §4.3: for a wildcard issuewild is in place of issue, where there is one; for all else it means nothing.
  const tag = wildcard && wild.length > 0 ? 'issuewild' : 'issue';
  const forbidden = (why: 'Critical' | 'Issuer' | 'Account' | 'Method', by: readonly Property[]): CaaVerdict => ({
    verdict: 'Forbidden',
    why,
    records: by.map(({ text }) => text),
    tag,
  });
  // RFC 8659 §4.1: what is critical and unknown forbids, whatever else the set says.
  const critical = properties.filter((one) => one.critical && !knownTags.has(one.tag));
  if (critical.length > 0) return forbidden('Critical', critical);
  const deciding = properties.filter((one) => one.tag === tag);
  const misses = deciding.map(({ value }) => missOf(value, applicant));
  // RFC 8659 §4.2: a set without the property restricts nobody.
  if (deciding.length === 0 || misses.includes(undefined)) return { verdict: 'Allowed' };
  const why = (['Method', 'Account'] as const).find((miss) => misses.includes(miss)) ?? 'Issuer';
  return forbidden(why, deciding);
}
