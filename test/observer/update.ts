/** What a DNS UPDATE message is to do (RFC 2136 §2): the rows behind its conditions. */

export interface UpdateRow {
  /** Lower case, without the last dot. */
  readonly name: string;
  /** 16 is TXT, 52 TLSA, 255 any. */
  readonly type: number;
  /** 1 adds; 254 and 255 remove. */
  readonly class: number;
  readonly data: Buffer;
}

/** Throws RangeError for a message that ends too early. */
export function rowsOfUpdate(message: Buffer): readonly UpdateRow[] {
  const [zones, conditions, updates] = [4, 6, 8].map((at) => message.readUInt16BE(at));
  let at = 12;
  for (let count = 0; count < (zones ?? 0); count += 1) at = readName(message, at).next + 4;
  const rows: UpdateRow[] = [];
  for (let count = 0; count < (conditions ?? 0) + (updates ?? 0); count += 1) {
    const { name, next } = readName(message, at);
    const length = message.readUInt16BE(next + 8);
    at = next + 10 + length;
    const data = message.subarray(next + 10, at);
    if (count >= (conditions ?? 0)) {
      rows.push({ name, type: message.readUInt16BE(next), class: message.readUInt16BE(next + 2), data });
    }
  }
  return rows;
}

/** RFC 1035 §4.1.4: labels, or a pointer to where they stand already. */
function readName(message: Buffer, start: number): { readonly name: string; readonly next: number } {
  const labels: string[] = [];
  let next: number | undefined;
  for (let at = start; ; ) {
    const length = message.readUInt8(at);
    if (length >= 0xc0) {
      next ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
    } else if (length === 0) {
      return { name: labels.join('.').toLowerCase(), next: next ?? at + 1 };
    } else {
      labels.push(message.subarray(at + 1, at + 1 + length).toString('latin1'));
      at += 1 + length;
    }
  }
}

const typeTxt = 16;
const classIn = 1;

/** The text that an update puts at a name, if it puts one there. */
export function addedText(message: Buffer, name: string): string | undefined {
  const row = rowsOfUpdate(message).find((one) => one.name === name && one.type === typeTxt && one.class === classIn);
  if (row === undefined) return undefined;
  const parts: string[] = [];
  for (let at = 0; at < row.data.length; at += 1 + (row.data[at] ?? 0)) {
    parts.push(row.data.subarray(at + 1, at + 1 + (row.data[at] ?? 0)).toString('latin1'));
  }
  return parts.join('');
}
