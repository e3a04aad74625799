import { parsed, problemList, quoted } from '../dns/problem.ts';
import type { Parsed, ProblemList } from '../dns/problem.ts';
import { readTags } from '../dns/tags.ts';

const here = 'RFC 8461 §3.1';

/** What the TXT record at `_mta-sts.<domain>` says. */
export interface StsRecord {
  /** 1–32 letters and digits. */
  readonly id: string;
}

/** Where the record of a mail domain stands. RFC 8461 §3.1. */
export function stsRecordName(domain: string): string {
  return `_mta-sts.${domain}`;
}

/**
 * Reads the TXT records found at `_mta-sts.<domain>`, each the whole logical string. Those that do not begin with
 * `v=STSv1;` are dropped; anything but exactly one remaining means no policy to a sender. Never throws.
 * Source: RFC 8461 §3.1.
 */
export function parseStsRecords(texts: readonly string[]): Parsed<StsRecord> {
  const list = problemList();
  // RFC 8461 §3.1: records that do not begin with "v=STSv1;" are discarded before counting.
  const [record, ...more] = texts.filter((text) => text.startsWith('v=STSv1;'));
  if (record === undefined) {
    const near = texts.find((text) => /^\s*v\s*=\s*stsv/i.test(text));
    const hint = near === undefined ? '' : `; ${quoted(near)} does not count`;
    list.error('NoRecord', `There is no TXT record that begins with "v=STSv1;"${hint}.`, here);
    return parsed<StsRecord>(undefined, list);
  }
  if (more.length > 0) {
    list.error('SeveralRecords', `${more.length + 1} TXT records begin with "v=STSv1;"; senders then see none.`, here);
  }
  const id = readId(record, list);
  return parsed(id === undefined ? undefined : { id }, list);
}

function readId(record: string, list: ProblemList): string | undefined {
  const id = readTags(record, here, list).get('id');
  if (id === undefined) {
    list.error('MissingId', 'The record has no "id".', here);
    return undefined;
  }
  if (!isId(id)) {
    list.error('MalformedId', `The id ${quoted(id)} is not 1 to 32 letters and digits.`, here);
    return undefined;
  }
  return id;
}

/** Whether this may be a policy id. RFC 8461 §3.1. */
function isId(text: string): boolean {
  return /^[A-Za-z0-9]{1,32}$/.test(text);
}

/** The TXT record of a policy id. Throws RangeError where the id is none: the caller mints it with `mintId`. */
export function formatStsRecord(id: string): string {
  if (!isId(id)) throw new RangeError(`${quoted(id)} is not a policy id of 1 to 32 letters and digits`);
  return `v=STSv1; id=${id};`;
}
