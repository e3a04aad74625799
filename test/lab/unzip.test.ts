import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { unzip } from './setup/unzip.ts';

const folder = mkdtempSync(join(tmpdir(), 'unzip-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A zip file with one entry; its checksum is left at 0, which only readers that check it mind. */
function zipOf(name: string, content: string, method: 0 | 8): Buffer {
  const bytes = method === 8 ? deflateRawSync(content) : Buffer.from(content);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(Buffer.byteLength(name), 26);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(method, 10);
  entry.writeUInt32LE(bytes.length, 20);
  entry.writeUInt16LE(Buffer.byteLength(name), 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(local.length + Buffer.byteLength(name) + bytes.length, 16);
  return Buffer.concat([local, Buffer.from(name), bytes, entry, Buffer.from(name), end]);
}

test.each([0, 8] as const)('a file packed with method %i comes out where it is to be placed', (method) => {
  unzip(zipOf('prefix/a/b.txt', 'content', method), folder, (name) => name.slice('prefix/'.length));
  expect(readFileSync(join(folder, 'a/b.txt'), 'utf8')).toBe('content');
});

test.each([
  ['a path that climbs out', zipOf('../x', '', 0), 'leaves it'],
  ['an absolute path', zipOf('/x', '', 0), 'leaves it'],
  ['something else than a zip file', Buffer.from('no zip'), 'not a zip file'],
])('%s is refused', (_, zip, message) => {
  expect(() => unzip(zip, folder, (name) => name)).toThrow(message);
});
