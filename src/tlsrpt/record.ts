import { toALabel } from '../dns/names.ts';
import { parsed, problemList, quoted } from '../dns/problem.ts';
import type { Parsed, ProblemList } from '../dns/problem.ts';
import { readTags, trimBlanks } from '../dns/tags.ts';

const here = 'RFC 8460 §3';

/** What the TXT record at `_smtp._tls.<domain>` says. */
export interface TlsRptRecord {
  /** `mailto:` and `https:` URIs, percent-encoded as the record has them, in order. */
  readonly rua: readonly string[];
}

/** Where the record of a policy domain, or of an MX host for DANE (RFC 8460 §1.1), stands. RFC 8460 §3. */
export function tlsRptRecordName(domain: string): string {
  return `_smtp._tls.${domain}`;
}

/**
 * Reads the TXT records found at `_smtp._tls.<domain>`, each the whole logical string. Those that do not begin with
 * `v=TLSRPTv1;` are dropped; anything but exactly one remaining means no reports. Unknown fields are passed over.
 * Never throws. Source: RFC 8460 §3.
 */
export function parseTlsRptRecords(texts: readonly string[]): Parsed<TlsRptRecord> {
  const list = problemList();
  // RFC 8460 §3: records that do not begin with "v=TLSRPTv1;" are discarded before counting.
  const [record, ...more] = texts.filter((text) => text.startsWith('v=TLSRPTv1;'));
  if (record === undefined) {
    const near = texts.find((text) => /^\s*v\s*=\s*tlsrpt/i.test(text));
    const hint = near === undefined ? '' : `; ${quoted(near)} does not count`;
    list.error('NoRecord', `There is no TXT record that begins with "v=TLSRPTv1;"${hint}.`, here);
    return parsed<TlsRptRecord>(undefined, list);
  }
  if (more.length > 0) {
    const count = more.length + 1;
    list.error('SeveralRecords', `${count} TXT records begin with "v=TLSRPTv1;"; nobody then sends reports.`, here);
  }
  const text = readTags(record, here, list).get('rua');
  if (text === undefined) {
    list.error('MissingRua', 'The record has no "rua": nobody is told where to send reports.', here);
    return parsed<TlsRptRecord>(undefined, list);
  }
  // RFC 8460 §3: URIs are separated by commas, with blanks on either side.
  const rua = text.split(',').map(trimBlanks);
  for (const uri of rua) checkUri(uri, list);
  return parsed({ rua }, list);
}

function checkUri(uri: string, list: ProblemList): void {
  const colon = uri.indexOf(':');
  const scheme = uri.slice(0, Math.max(colon, 0)).toLowerCase();
  // RFC 8460 §3: "," "!" and ";" inside a URI are percent-encoded; the others never get this far.
  if (uri.includes('!')) list.error('UnencodedCharacter', `In ${quoted(uri)} "!" must be written as %21.`, here);
  if (colon < 0 || !/^[\x21-\x7e]+$/.test(uri) || /%(?![0-9a-fA-F]{2})/.test(uri)) {
    list.error('MalformedUri', `The rua ${quoted(uri)} is not a URI.`, here);
  } else if (scheme === 'mailto') checkMailto(uri, list);
  else if (scheme === 'https') checkHttps(uri, list);
  else list.error('UnsupportedScheme', `The rua ${quoted(uri)} is neither mailto: nor https:.`, here);
}

function checkMailto(uri: string, list: ProblemList): void {
  const address = uri.slice('mailto:'.length).split('?')[0] ?? '';
  const at = address.lastIndexOf('@');
  const domain = at < 1 ? undefined : toALabel(address.slice(at + 1));
  if (domain?.ok !== true || address.slice(0, at).includes('@')) {
    list.error('MalformedUri', `The rua ${quoted(uri)} holds no mail address.`, 'RFC 6068 §2');
  }
}

function checkHttps(uri: string, list: ProblemList): void {
  const url = uri.slice(6).startsWith('//') ? URL.parse(uri) : null;
  if (url === null || url.hostname === '')
    list.error('MalformedUri', `The rua ${quoted(uri)} is not an https URL.`, here);
  else if (url.username !== '' || url.password !== '') {
    list.error('MalformedUri', `The rua ${quoted(url.host)} carries a user name or password for all to see.`, here);
  }
}

/** The URI as a record may hold it: the three characters that mean something there percent-encoded. RFC 8460 §3. */
export function encodeRua(uri: string): string {
  return uri.replaceAll(',', '%2C').replaceAll('!', '%21').replaceAll(';', '%3B');
}

/**
 * The TXT record that asks for reports at these URIs, encoding what must be. The URIs must be valid otherwise: the
 * caller checks what it was given with `checkRua`.
 */
export function formatTlsRptRecord(record: TlsRptRecord): string {
  return `v=TLSRPTv1; rua=${record.rua.map(encodeRua).join(',')};`;
}

/** Reads one URI that someone wants reports sent to; the value is the URI as the record will hold it. RFC 8460 §3. */
export function checkRua(uri: string): Parsed<string> {
  const list = problemList();
  const encoded = encodeRua(uri);
  checkUri(encoded, list);
  return parsed(encoded, list);
}
