/** A JSON array of any length, element by element as its bytes arrive: no more of it is in memory than one element. */
export interface Elements {
  /** @throws SyntaxError where it is no array, or an element is no JSON or longer than it may be. */
  readonly take: (bytes: Uint8Array) => void;
  /** @throws SyntaxError where the array does not end. */
  readonly end: () => void;
}

const longestElement = 1024 * 1024;

const code = (char: string): number => char.charCodeAt(0);
const [quote, backslash, comma] = [code('"'), code('\\'), code(',')];
const opening = new Set([code('['), code('{')]);
const closing = new Set([code(']'), code('}')]);
const blanks = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** `null` is an array without elements: so Go writes one that it never made. */
export function createElements(onElement: (value: unknown) => void): Elements {
  let depth = 0;
  let inString = false;
  let escaped = false;
  let before: 'Array' | 'Null' | undefined;
  let isOver = false;
  let elements = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  const hold = (bytes: Uint8Array): void => {
    heldBytes += bytes.length;
    if (heldBytes > longestElement) throw new SyntaxError('one of its records is longer than 1 MiB');
    held.push(bytes);
  };
  const finish = (isLast: boolean): void => {
    const text = Buffer.concat(held).toString('utf8');
    held = [];
    heldBytes = 0;
    if (isLast && elements === 0 && text.trim() === '') return;
    elements += 1;
    onElement(JSON.parse(text));
  };
  const begin = (byte: number): void => {
    if (blanks.has(byte)) return;
    if (byte === code('[')) depth = 1;
    else if (byte !== code('n')) throw new SyntaxError('it is no JSON array');
    before = byte === code('[') ? 'Array' : 'Null';
  };

  /** Whether an element ends with this byte. */
  const ends = (byte: number): boolean => {
    if (inString) {
      if (escaped) escaped = false;
      else if (byte === backslash) escaped = true;
      else if (byte === quote) inString = false;
      return false;
    }
    if (byte === quote) inString = true;
    else if (opening.has(byte)) depth += 1;
    else if (closing.has(byte)) depth -= 1;
    return depth === 0 || (depth === 1 && byte === comma);
  };

  return {
    take: (bytes) => {
      let from = 0;
      for (let at = 0; at < bytes.length; at += 1) {
        const byte = bytes[at] ?? 0;
        if (before === undefined) {
          begin(byte);
          from = at + 1;
        } else if (isOver) {
          if (!blanks.has(byte)) throw new SyntaxError('something follows the JSON array');
        } else if (before === 'Array' && ends(byte)) {
          if (byte === code('}')) throw new SyntaxError('a brace ends the JSON array');
          hold(bytes.subarray(from, at));
          finish(depth === 0);
          isOver = depth === 0;
          from = at + 1;
        }
      }
      if (before !== undefined && !isOver) hold(bytes.subarray(from));
    },
    end: () => {
      const isNull = before === 'Null' && Buffer.concat(held).toString('utf8').trim() === 'ull';
      if (!isOver && !isNull) throw new SyntaxError('the JSON array does not end');
    },
  };
}
