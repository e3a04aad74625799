/** What may become of DNS messages on their way: kept, cut, altered, answered by an impostor. */
import { decode, encode } from 'dns-packet';
import { signMessage, type TsigKey } from '../../../src/apply/providers/tsig.ts';
import { spans } from '../../../src/observe/dns/wire.ts';
import type { DnsMeddling } from '../dns-relay.ts';
import type { Stage } from './fault.ts';

const rcodes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5, NOTAUTH: 9 } as const;
export type Rcode = keyof typeof rcodes;
/** RFC 8945 §3: what the server says of our signature. */
const tsigErrors = { BADKEY: 17, BADTIME: 18 } as const;

const opcodeUpdate = 5;
const isUpdate = (bytes: Buffer): boolean => ((bytes.readUInt8(2) >> 3) & 15) === opcodeUpdate;
/** RFC 2136 §2.2: with a section of updates; without one it only asks. */
export const changesSomething = (bytes: Buffer): boolean => isUpdate(bytes) && bytes.readUInt16BE(8) > 0;

/** Where the first question of a message ends. */
function questionEnd(bytes: Buffer): number {
  let at = 12;
  while ((bytes[at] ?? 0) !== 0) at += 1 + (bytes[at] ?? 0);
  return at + 5;
}

/** The header of a message as that of its answer, and its question. */
function bare(bytes: Buffer, rcode: Rcode): Buffer {
  const answer = Buffer.alloc(12);
  bytes.copy(answer, 0, 0, 4);
  answer.writeUInt8(answer.readUInt8(2) | 0x80, 2);
  answer.writeUInt8(rcodes[rcode], 3);
  answer.writeUInt16BE(1, 4);
  return Buffer.concat([answer, bytes.subarray(12, questionEnd(bytes))]);
}

/** An answer that only who has the key can give: the primary is taken over, not merely spoken for. */
export function signed({ ground }: Stage, bytes: Buffer, rcode: Rcode): Buffer {
  const { name, secret } = ground.dns.bind.tsig;
  const key: TsigKey = { name, algorithm: 'hmac-sha256', secret: Buffer.from(secret, 'base64') };
  // The MAC of the request stands behind the algorithm's name, the time, the fudge and its own length.
  const mac = spans(bytes).at(-1)?.rdata.subarray(23, 55) ?? Buffer.alloc(0);
  return signMessage(bare(bytes, rcode), key, Math.floor(Date.now() / 1000), mac).bytes;
}

/** NOTAUTH with a TSIG that says what is wrong with ours; unsigned, as servers send it. */
export function refusedSignature(bytes: Buffer, error: keyof typeof tsigErrors): Buffer {
  const tsig = spans(bytes).at(-1);
  if (tsig === undefined) throw new Error('the message is not signed');
  const { rdata, start } = tsig;
  const [algorithm, time] = [rdata.subarray(0, 13), rdata.subarray(13, 21)];
  const tail = Buffer.alloc(8);
  bytes.copy(tail, 2, 0, 2);
  tail.writeUInt16BE(tsigErrors[error], 4);
  const data = Buffer.concat([algorithm, time, tail]);
  const head = bytes.subarray(start, bytes.length - rdata.length - 2);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(data.length);
  const answer = bare(bytes, 'NOTAUTH');
  answer.writeUInt16BE(1, 10);
  return Buffer.concat([answer, head, length, data]);
}

/** The first change is made, and its answer never comes. */
export function firstAnswerLost(): DnsMeddling {
  let lost = false;
  return async ({ bytes }, pass) => {
    const answer = await pass();
    if (lost || !changesSomething(bytes)) return answer;
    lost = true;
    return undefined;
  };
}

const questionOf = (bytes: Buffer): { readonly name: string; readonly type: string } => {
  const [question] = decode(bytes).questions ?? [];
  return { name: question?.name.toLowerCase() ?? '', type: question?.type ?? '' };
};

/** As it answered before anything of ours stood there: hours behind. */
export function behind({ domain }: Stage): DnsMeddling {
  return async ({ bytes }, pass) => {
    const { name } = questionOf(bytes);
    const ours = name.endsWith(domain) && (name.includes('_') || name.startsWith('mta-sts.'));
    if (!ours) return pass();
    const { id, questions = [] } = decode(bytes);
    const zone = domain.slice(domain.indexOf('.') + 1);
    const soa = {
      mname: 'ns1.test',
      rname: 'hostmaster.test',
      serial: 1,
      refresh: 30,
      retry: 5,
      expire: 9999,
      minimum: 1,
    };
    const authorities = [{ type: 'SOA', name: zone, ttl: 1, data: soa }] as const;
    const answer = encode({ type: 'response', id: id ?? 0, flags: 0x0400, questions, authorities: [...authorities] });
    answer.writeUInt8((answer.readUInt8(3) & 0xf0) | rcodes.NXDOMAIN, 3);
    return answer;
  };
}

export const silent: DnsMeddling = () => Promise.resolve(undefined);
export const refusing: DnsMeddling = ({ bytes }) => Promise.resolve(bare(bytes, 'REFUSED'));
/** The data without the AA bit, as from a cache that was mistaken for a server of the zone. */
export const lame: DnsMeddling = async (_, pass) => {
  const answer = await pass();
  answer.writeUInt8(answer.readUInt8(2) & 0xfb, 2);
  return answer;
};
/** Asked about one zone, it answers about another: question, names and all. */
export const astray: DnsMeddling = async (_, pass) =>
  Buffer.from((await pass()).toString('latin1').replaceAll('\u0005lane', '\u0005wool'), 'latin1');
/** Nothing fits into a datagram. */
export const truncated: DnsMeddling = async ({ bytes, wire }, pass) => {
  const answer = await pass();
  if (wire === 'stream') return answer;
  const cut = bare(bytes, 'NOERROR');
  cut.writeUInt8(answer.readUInt8(2) | 0x02, 2);
  return cut;
};

/** Without the AD bit: it hands out what it never checked. */
export const unchecked: DnsMeddling = async (_, pass) => {
  const answer = await pass();
  answer.writeUInt8(answer.readUInt8(3) & 0xdf, 3);
  return answer;
};

/** It swears to other TXT records than stand there. */
export const lying =
  (stage: Stage): DnsMeddling =>
  async ({ bytes }, pass) => {
    const answer = await pass();
    const { name, type } = questionOf(bytes);
    if (type !== 'TXT' || name !== `_mta-sts.${stage.domain}`) return answer;
    return Buffer.from(answer.toString('latin1').replace('v=STSv1; id=2', 'v=STSv1; id=1'), 'latin1');
  };

/** All that lies at or below a name fails. */
export const servFail =
  (name: string): DnsMeddling =>
  async ({ bytes }, pass) =>
    questionOf(bytes).name.endsWith(name) ? bare(bytes, 'SERVFAIL') : pass();
