import { type Answer as PacketRecord, type DecodedPacket, type PacketOpt, decode, encode } from 'dns-packet';
import type { QueryType } from '../../dns/answer.ts';

/** A resource record as dns-packet decodes it, but for OPT, which the message's own fields stand for. */
export type WireRecord = Exclude<PacketRecord, { type: 'OPT' }>;

/** A response, with what EDNS adds to it. Names are as sent but for case: lower. */
export interface Message {
  readonly id: number;
  /** Mnemonic, EDNS' upper bits included: `NOERROR`, `NXDOMAIN`, `BADVERS`, `RCODE_23`. */
  readonly rcode: string;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  /** AD: the server says that it validated. Worth as much as the server and the way to it. */
  readonly authenticData: boolean;
  readonly question: { readonly name: string; readonly type: string } | undefined;
  readonly answers: readonly WireRecord[];
  readonly authorities: readonly WireRecord[];
  readonly additionals: readonly WireRecord[];
  /** Extended DNS errors (RFC 8914) in words; undefined where there are none. */
  readonly extendedError: string | undefined;
}

export interface Question {
  readonly name: string;
  readonly type: QueryType;
  readonly recursion: boolean;
  /** CD: hand out data that fails validation. */
  readonly checkingDisabled: boolean;
}

/** One record's place in a message. */
export interface Span {
  readonly start: number;
  readonly type: number;
  readonly rdata: Buffer;
}

const recursionDesired = 0x0100;
const authenticData = 0x0020;
const checkingDisabled = 0x0010;
const dnssecOk = 0x8000;
const extendedErrorOption = 15;
/** What goes through any path unfragmented (dnsflagday.net/2020). */
const udpPayload = 1232;
/** More records than any answer that concerns a mail domain has; bounds the work that a hostile server causes. */
const maxRecords = 1000;

/** The name on the wire, uncompressed and in lower case. Throws on what can't be a name. */
export function encodeName(name: string): Buffer {
  const labels = name === '' || name === '.' ? [] : name.toLowerCase().replace(/\.$/, '').split('.');
  // RFC 1035 §3.1: labels have 1 to 63 octets, a name at most 255.
  if (labels.some((label) => !/^[\x21-\x7e]{1,63}$/.test(label))) throw new Error(`not a DNS name: ${name}`);
  const bytes = Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')),
    Buffer.of(0),
  ]);
  if (bytes.length > 255) throw new Error(`longer than a DNS name may be: ${name}`);
  return bytes;
}

/** A query with EDNS, DO and AD set. Throws on what can't be a name. */
export function encodeQuery(id: number, question: Question): Buffer {
  encodeName(question.name);
  const flags =
    authenticData | (question.recursion ? recursionDesired : 0) | (question.checkingDisabled ? checkingDisabled : 0);
  return encode({
    type: 'query',
    id,
    flags,
    questions: [{ name: question.name, type: question.type }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: udpPayload,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: dnssecOk,
        flag_do: true,
        options: [],
      },
    ],
  });
}

function skipName(bytes: Buffer, start: number): number {
  let offset = start;
  for (;;) {
    const length = bytes.readUInt8(offset);
    if (length >= 0xc0) return offset + 2;
    if (length >= 0x40) throw new Error('unknown label type');
    offset += 1 + length;
    if (length === 0) return offset;
  }
}

/** Where each record of a message lies. Throws where the counts promise what is not there, or trailing bytes are. */
export function spans(bytes: Buffer): readonly Span[] {
  const counts = [bytes.readUInt16BE(6), bytes.readUInt16BE(8), bytes.readUInt16BE(10)];
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total > maxRecords) throw new Error(`${total} records in one message`);
  const questions = bytes.readUInt16BE(4);
  if (questions > 1) throw new Error(`${questions} questions in one message`);
  let offset = 12;
  if (questions === 1) offset = skipName(bytes, offset) + 4;
  const found: Span[] = [];
  for (let index = 0; index < total; index += 1) {
    const start = offset;
    const fixed = skipName(bytes, offset);
    const end = fixed + 10 + bytes.readUInt16BE(fixed + 8);
    if (end > bytes.length) throw new Error('a record goes beyond the message');
    found.push({ start, type: bytes.readUInt16BE(fixed), rdata: bytes.subarray(fixed + 10, end) });
    offset = end;
  }
  if (offset !== bytes.length) throw new Error('bytes behind the last record');
  return found;
}

const extendedRcodes: Readonly<Record<number, string>> = { 16: 'BADVERS', 23: 'BADCOOKIE' };

/** Names of RFC 8914 §4 that concern a mail domain. */
const extendedErrors: Readonly<Record<number, string>> = {
  1: 'unsupported DNSKEY algorithm',
  2: 'unsupported DS digest',
  3: 'stale answer',
  5: 'DNSSEC indeterminate',
  6: 'DNSSEC bogus',
  7: 'signature expired',
  8: 'signature not yet valid',
  9: 'DNSKEY missing',
  10: 'RRSIGs missing',
  11: 'no zone key bit set',
  12: 'NSEC missing',
  13: 'cached error',
  14: 'not ready',
  15: 'blocked',
  18: 'prohibited',
  20: 'not authoritative',
  22: 'no reachable authority',
  23: 'network error',
};

function extendedErrorText(options: readonly PacketOpt[]): string | undefined {
  const texts = options.flatMap((option) => {
    // The package's types know no option 15, the package hands it out all the same.
    const { code: optionCode, data }: { readonly code: number; readonly data?: Buffer | undefined } = option;
    if (optionCode !== extendedErrorOption || data === undefined || data.length < 2) return [];
    const code = data.readUInt16BE(0);
    const extra = printable(data.subarray(2, 202).toString('utf8'));
    const words = extendedErrors[code] ?? `extended error ${code}`;
    return [extra === '' ? words : `${words} (${extra})`];
  });
  return texts.length === 0 ? undefined : [...new Set(texts)].join('; ');
}

/** Text of a stranger without what could break a log line or a terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '').trim();
}

function lowerName(name: string): string {
  return name === '.' ? '' : name.toLowerCase();
}

/** Decodes a response. Throws on whatever is not one well-formed DNS message. */
export function decodeMessage(bytes: Buffer): Message {
  if (bytes.length < 12) throw new Error('shorter than a DNS header');
  spans(bytes);
  const packet = decode(bytes) as DecodedPacket & { readonly rcode: string };
  if (decode.bytes !== bytes.length) throw new Error('record data and its length disagree');
  if (!packet.flag_qr) throw new Error('not a response');
  const options = (packet.additionals ?? []).filter((record) => record.type === 'OPT');
  const upper = options[0]?.extendedRcode ?? 0;
  const code = (upper << 4) | (bytes.readUInt8(3) & 0xf);
  const question = packet.questions?.[0];
  const records = (section: readonly PacketRecord[] | undefined): readonly WireRecord[] =>
    (section ?? []).flatMap((record) => (record.type === 'OPT' ? [] : [{ ...record, name: lowerName(record.name) }]));
  return {
    id: packet.id ?? 0,
    rcode: upper === 0 ? packet.rcode : (extendedRcodes[code] ?? `RCODE_${code}`),
    authoritative: packet.flag_aa,
    truncated: packet.flag_tc,
    authenticData: packet.flag_ad,
    question: question === undefined ? undefined : { name: lowerName(question.name), type: question.type },
    answers: records(packet.answers),
    authorities: records(packet.authorities),
    additionals: records(packet.additionals),
    extendedError: extendedErrorText(options.flatMap((option) => option.options)),
  };
}
