/** Transaction signatures (RFC 8945): they tell the name server that an update is ours, and us that the answer is its. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { encodeName, spans } from '../../observe/dns/wire.ts';

export type TsigAlgorithm = 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';

export interface TsigKey {
  /** Canonical name, as the server's configuration has it. */
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Buffer;
}

export interface Signed {
  readonly bytes: Buffer;
  readonly mac: Buffer;
}

/** RFC 8945 §3 and RFC 2845 §1.7: errors of the TSIG itself, which the header's rcode only calls NOTAUTH. */
type TsigError = 'BADSIG' | 'BADKEY' | 'BADTIME' | 'BADTRUNC';

/**
 * - `Signed`: by our key, in time; `message` is without the signature.
 * - `Rejected`: the server says that it did not accept our signature; mostly unsigned. `serverSeconds` with BADTIME.
 * - `Unsigned`, `Forged`: not to be believed.
 */
export type Verified =
  | { readonly state: 'Signed'; readonly message: Buffer }
  | { readonly state: 'Rejected'; readonly error: TsigError; readonly serverSeconds: number | undefined }
  | { readonly state: 'Unsigned'; readonly message: Buffer }
  | { readonly state: 'Forged'; readonly why: string };

const tsigType = 250;
const classAny = 255;
/** Seconds that the two clocks may differ, RFC 8945 §10. */
const fudge = 300;

const tsigErrors: Readonly<Record<number, TsigError>> = { 16: 'BADSIG', 17: 'BADKEY', 18: 'BADTIME', 22: 'BADTRUNC' };

interface TsigData {
  readonly algorithm: Buffer;
  readonly seconds: number;
  readonly fudge: number;
  readonly mac: Buffer;
  readonly originalId: number;
  readonly error: number;
  readonly other: Buffer;
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint48(value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(value, 0, 6);
  return bytes;
}

function withLength(bytes: Buffer): Buffer {
  return Buffer.concat([uint16(bytes.length), bytes]);
}

/** The MAC over the request's MAC (for an answer), the message without TSIG, and the variables (RFC 8945 §4.3.3). */
function macOf(key: TsigKey, message: Buffer, data: Omit<TsigData, 'mac' | 'originalId'>, requestMac?: Buffer): Buffer {
  const hmac = createHmac(key.algorithm.replace('hmac-', ''), key.secret);
  if (requestMac !== undefined) hmac.update(withLength(requestMac));
  hmac.update(message);
  hmac.update(Buffer.concat([encodeName(key.name), uint16(classAny), Buffer.alloc(4), data.algorithm]));
  hmac.update(Buffer.concat([uint48(data.seconds), uint16(data.fudge), uint16(data.error), withLength(data.other)]));
  return hmac.digest();
}

function withCount(message: Buffer, change: 1 | -1): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(copy.readUInt16BE(10) + change, 10);
  return copy;
}

/** Signs a whole message; `requestMac` is given when it answers another (only a server does that). */
export function signMessage(message: Buffer, key: TsigKey, nowSeconds: number, requestMac?: Buffer): Signed {
  const variables = {
    algorithm: encodeName(key.algorithm),
    seconds: nowSeconds,
    fudge,
    error: 0,
    other: Buffer.alloc(0),
  };
  const mac = macOf(key, message, variables, requestMac);
  const rdata = Buffer.concat([
    variables.algorithm,
    uint48(nowSeconds),
    uint16(fudge),
    withLength(mac),
    message.subarray(0, 2),
    uint16(0),
    uint16(0),
  ]);
  const head = Buffer.concat([encodeName(key.name), uint16(tsigType), uint16(classAny), Buffer.alloc(4)]);
  return { bytes: Buffer.concat([withCount(message, 1), head, withLength(rdata)]), mac };
}

function readTsig(rdata: Buffer): TsigData {
  const nameEnd = rdata.indexOf(0) + 1;
  const macStart = nameEnd + 10;
  const macEnd = macStart + rdata.readUInt16BE(nameEnd + 8);
  const otherLength = rdata.readUInt16BE(macEnd + 4);
  if (nameEnd === 0 || macEnd + 6 + otherLength !== rdata.length) throw new Error('malformed TSIG');
  return {
    algorithm: Buffer.from(rdata.subarray(0, nameEnd).toString('latin1').toLowerCase(), 'latin1'),
    seconds: rdata.readUIntBE(nameEnd, 6),
    fudge: rdata.readUInt16BE(nameEnd + 6),
    mac: rdata.subarray(macStart, macEnd),
    originalId: rdata.readUInt16BE(macEnd),
    error: rdata.readUInt16BE(macEnd + 2),
    other: rdata.subarray(macEnd + 6),
  };
}

/** Judges an answer to a message that we signed with `requestMac`. Throws on what is no DNS message. */
export function verifyMessage(bytes: Buffer, key: TsigKey, requestMac: Buffer, nowSeconds: number): Verified {
  const last = spans(bytes).at(-1);
  if (last?.type !== tsigType) return { state: 'Unsigned', message: bytes };
  const data = readTsig(last.rdata);
  const error = tsigErrors[data.error];
  if (error !== undefined) {
    const serverSeconds = error === 'BADTIME' && data.other.length === 6 ? data.other.readUIntBE(0, 6) : undefined;
    return { state: 'Rejected', error, serverSeconds };
  }
  if (!data.algorithm.equals(encodeName(key.algorithm))) return { state: 'Forged', why: 'signed by another algorithm' };
  const message = withCount(bytes.subarray(0, last.start), -1);
  // RFC 8945 §5.3.1: the MAC covers the id as it was before anything on the way changed it.
  const asSigned = Buffer.concat([uint16(data.originalId), message.subarray(2)]);
  const wanted = macOf(key, asSigned, data, requestMac);
  if (wanted.length !== data.mac.length || !timingSafeEqual(wanted, data.mac)) {
    return { state: 'Forged', why: 'the signature of the answer does not verify' };
  }
  if (Math.abs(nowSeconds - data.seconds) > data.fudge)
    return { state: 'Forged', why: 'the answer was signed at another time' };
  return { state: 'Signed', message };
}
