/** The message of a dynamic update (RFC 2136) and the rows that it is made of. */
import ipaddr from 'ipaddr.js';
import type { RecordSet, RecordType } from '../../dns/rrset.ts';
import { chunkTxt } from '../../dns/txt.ts';
import { encodeName } from '../../observe/dns/wire.ts';
import type { RecordChange } from './provider.ts';

export const typeCodes: Readonly<Record<RecordType, number>> = { A: 1, CNAME: 5, TXT: 16, AAAA: 28, TLSA: 52 };

const classIn = 1;
const classNone = 254;
const classAny = 255;
const typeSoa = 6;
const typeAny = 255;
const opcodeUpdate = 5 << 11;

interface Row {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Buffer;
}

export interface UpdateRows {
  readonly prerequisites: readonly Row[];
  readonly updates: readonly Row[];
}

const nothing = Buffer.alloc(0);

/** Record data on the wire. Throws on a value that is not of its type's canonical form. */
export function encodeData(type: RecordType, value: string): Buffer {
  switch (type) {
    case 'A':
      return Buffer.from(ipaddr.IPv4.parse(value).toByteArray());
    case 'AAAA':
      return Buffer.from(ipaddr.IPv6.parse(value).toByteArray());
    case 'CNAME':
      return encodeName(value);
    case 'TXT':
      return Buffer.concat(chunkTxt(value).flatMap((chunk) => [Buffer.of(chunk.length), chunk]));
    case 'TLSA': {
      const match = /^(\d{1,3}) (\d{1,3}) (\d{1,3}) ((?:[0-9a-f]{2})+)$/.exec(value);
      const [usage, selector, matching, hex] = match?.slice(1) ?? [];
      if (hex === undefined) throw new Error(`not the data of a TLSA record: ${value}`);
      return Buffer.concat([Buffer.of(Number(usage), Number(selector), Number(matching)), Buffer.from(hex, 'hex')]);
    }
  }
}

/** How a set that stands is cut on the wire, where that is not how we would cut it; see `rfc2136.ts`. */
export type StandingData = (set: RecordSet) => readonly Buffer[] | undefined;

/**
 * RFC 2136 §3.4.2.2: a server drops additions beside a CNAME without a word, so there must be none (§2.4.3); and for a
 * CNAME of ours nothing at all may be at the name (§2.4.5). Not asked where the same call removes what is there.
 */
function aloneAtName({ name, type, after }: RecordChange, siblings: readonly RecordChange[]): readonly Row[] {
  const removed = siblings.filter((other) => other.name === name && other.before !== undefined);
  const isCname = type === 'CNAME';
  const givesWay = isCname ? removed.length > 0 : removed.some((other) => other.type === 'CNAME');
  if (after === undefined || givesWay) return [];
  return [{ name, type: isCname ? typeAny : typeCodes.CNAME, class: classNone, ttl: 0, rdata: nothing }];
}

function prerequisitesOf(
  change: RecordChange,
  siblings: readonly RecordChange[],
  standing: StandingData,
): readonly Row[] {
  const { name, before } = change;
  const type = typeCodes[change.type];
  if (before === undefined || before.values.length === 0) {
    // RFC 2136 §2.4.3: the set does not exist.
    return [{ name, type, class: classNone, ttl: 0, rdata: nothing }, ...aloneAtName(change, siblings)];
  }
  const data = standing(before) ?? before.values.map((value) => encodeData(before.type, value));
  // RFC 2136 §2.4.2: the set exists with exactly these members.
  return data.map((rdata) => ({ name, type, class: classIn, ttl: 0, rdata }));
}

function updatesOf({ name, type, before, after }: RecordChange): readonly Row[] {
  const remove: Row = { name, type: typeCodes[type], class: classAny, ttl: 0, rdata: nothing };
  const add = (after?.values ?? []).map(
    (value): Row => ({
      name,
      type: typeCodes[type],
      class: classIn,
      ttl: after?.ttl ?? 0,
      rdata: encodeData(type, value),
    }),
  );
  // RFC 2136 §2.5.2: delete the set first: what then is added in the same message replaces it in one step.
  return before === undefined ? add : [remove, ...add];
}

/** One change as rows: it happens only if `before` still stands. `siblings` are all changes of the same call. */
export function rowsOf(
  change: RecordChange,
  siblings: readonly RecordChange[] = [],
  standing: StandingData = () => undefined,
): UpdateRows {
  return { prerequisites: prerequisitesOf(change, siblings, standing), updates: updatesOf(change) };
}

/** Changes nothing, succeeds only where a set of the type stands at exactly this name (RFC 2136 §2.4.1). */
export function existsRows(name: string, type: RecordType): UpdateRows {
  return { prerequisites: [{ name, type: typeCodes[type], class: classAny, ttl: 0, rdata: nothing }], updates: [] };
}

/** RFC 1035 §3.2.1: type, class, TTL and length stand between the name and the data. */
const rowHead = 10;

function encodeRow(row: Row): Buffer {
  const fixed = Buffer.alloc(rowHead);
  fixed.writeUInt16BE(row.type, 0);
  fixed.writeUInt16BE(row.class, 2);
  fixed.writeUInt32BE(row.ttl, 4);
  fixed.writeUInt16BE(row.rdata.length, 8);
  return Buffer.concat([encodeName(row.name), fixed, row.rdata]);
}

/** The message, unsigned. */
export function encodeUpdate(id: number, zone: string, parts: readonly UpdateRows[]): Buffer {
  const prerequisites = parts.flatMap((part) => part.prerequisites);
  // One and the same condition from two changes of a name is asked for once.
  const distinct = new Map(prerequisites.map(encodeRow).map((bytes) => [bytes.toString('latin1'), bytes]));
  const rows = parts.flatMap((part) => part.updates);
  // RFC 2136 §3.4.2: rows are worked off in order; a CNAME must be gone before its name takes something else.
  const removals = rows.filter((row) => row.class === classAny);
  const updates = [...removals, ...rows.filter((row) => row.class !== classAny)].map(encodeRow);
  const header = Buffer.alloc(12);
  [id, opcodeUpdate, 1, distinct.size, updates.length, 0].forEach((value, index) =>
    header.writeUInt16BE(value, index * 2),
  );
  const zoneTail = Buffer.of(0, typeSoa, 0, classIn);
  return Buffer.concat([header, encodeName(zone), zoneTail, ...distinct.values(), ...updates]);
}

/** Rows of the update section that one message carries at most, unless one name alone has more. */
const rowsPerMessage = 50;

/** Octets of all rows that one message carries at most: what is left of 65,535 holds header, zone and signature. */
export const bytesPerMessage = 60_000;

/** A change and the rows that it comes to. */
export type Part = readonly [RecordChange, UpdateRows];

/** Octets on the wire. Never throws, however long the data is. */
export function bytesOf(parts: readonly Part[]): number {
  const rows = parts.flatMap(([, { prerequisites, updates }]) => [...prerequisites, ...updates]);
  return rows.reduce((sum, { name, rdata }) => sum + encodeName(name).length + rowHead + rdata.length, 0);
}

/** What these rows take of a message; 1 is all of it. */
export const roomOf = (part: Part): number =>
  Math.max(part[1].updates.length / rowsPerMessage, bytesOf([part]) / bytesPerMessage);

/**
 * Deals changes out to messages, each of which the server does whole or not. Those of one name stay together, in a
 * message of their own where they are too large for any.
 */
export function packed(parts: readonly Part[]): readonly (readonly Part[])[] {
  const messages: Part[][] = [];
  let [rows, bytes] = [0, 0];
  for (const group of Map.groupBy(parts, ([change]) => change.name).values()) {
    const more = group.reduce((sum, [, part]) => sum + part.updates.length, 0);
    const longer = bytesOf(group);
    if (messages.length === 0 || rows + more > rowsPerMessage || bytes + longer > bytesPerMessage) {
      messages.push([]);
      [rows, bytes] = [0, 0];
    }
    messages.at(-1)?.push(...group);
    rows += more;
    bytes += longer;
  }
  return messages;
}
