/** Unpacking a zip file (APPNOTE 6.3, stored and deflated entries, no zip64): a fresh machine may have no unzip. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { inflateRawSync } from 'node:zlib';

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;

/**
 * Writes the files of the archive below `folder`. `place` says under which relative path, or undefined to leave one
 * out. Throws when the archive is damaged or a path would leave the folder.
 */
export function unzip(zip: Buffer, folder: string, place: (name: string) => string | undefined): void {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || zip.readUInt32LE(end) !== endSignature) throw new Error('not a zip file');
  const count = zip.readUInt16LE(end + 10);
  let at = zip.readUInt32LE(end + 16);
  for (let index = 0; index < count; index += 1) {
    if (zip.readUInt32LE(at) !== entrySignature) throw new Error('damaged zip file');
    const nameLength = zip.readUInt16LE(at + 28);
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    const target = name.endsWith('/') ? undefined : place(name);
    if (target !== undefined) write(join(folder, inside(target)), content(zip, at));
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
}

function content(zip: Buffer, entry: number): Buffer {
  const method = zip.readUInt16LE(entry + 10);
  const packed = zip.readUInt32LE(entry + 20);
  const local = zip.readUInt32LE(entry + 42);
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const bytes = zip.subarray(start, start + packed);
  if (method === 0) return bytes;
  if (method === 8) return inflateRawSync(bytes);
  throw new Error(`zip method ${method} is not known here`);
}

function inside(path: string): string {
  const clean = normalize(path);
  if (clean.startsWith('..') || clean.startsWith('/'))
    throw new Error(`the zip file has a path that leaves it: ${path}`);
  return clean;
}

function write(path: string, bytes: Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}
