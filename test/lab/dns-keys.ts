/** Keys made before the first start, so that the parent's DS can be written from the first day. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';

/** Makes a combined signing key by the policy in `dir`/policy.conf; returns its DNSKEY record in one line. */
export async function makeKey(dir: string, zone: string): Promise<string> {
  const keys = join(dir, 'keys');
  const policy = ['-k', 'lab', '-l', join(dir, 'policy.conf')];
  const name = await run(['dnssec-keygen', '-q', '-K', keys, ...policy, zone]);
  const text = readFileSync(join(keys, `${name.trim()}.key`), 'utf8');
  const record = text.split('\n').find((line) => line.includes(' DNSKEY '));
  if (record === undefined) throw new Error(`dnssec-keygen made no key for ${zone}: ${text}`);
  return record.trim();
}

/** The DS record (SHA-256) of a DNSKEY record in presentation form, without TTL. */
export function dsRecord(dnskey: string): string {
  const match = /^(\S+)\.\s+(?:\d+\s+)?IN\s+DNSKEY\s+(\d+)\s+(\d+)\s+(\d+)\s+(.+)$/.exec(dnskey);
  if (match === null) throw new Error(`not a DNSKEY record: ${dnskey}`);
  const [, owner = '', flags, protocol, algorithm, key = ''] = match;
  const head = Buffer.alloc(4);
  head.writeUInt16BE(Number(flags), 0);
  head.writeUInt8(Number(protocol), 2);
  head.writeUInt8(Number(algorithm), 3);
  const rdata = Buffer.concat([head, Buffer.from(key.replaceAll(' ', ''), 'base64')]);
  const digest = createHash('sha256').update(wireName(owner)).update(rdata).digest('hex').toUpperCase();
  return `${owner}. IN DS ${keyTag(rdata)} ${algorithm} 2 ${digest}`;
}

function wireName(name: string): Buffer {
  const labels = name.toLowerCase().split('.');
  return Buffer.concat([...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.of(0)]);
}

// RFC 4034 appendix B: the sum of the 16-bit words, with its carry.
function keyTag(rdata: Buffer): number {
  let sum = 0;
  for (const [index, byte] of rdata.entries()) sum += index % 2 === 0 ? byte * 256 : byte;
  return (sum + (sum >> 16)) & 0xffff;
}
