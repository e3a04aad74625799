/** What a name server shows, asked over TCP in another way than any code under test. */
import { connect } from 'node:net';
import { type Answer, type Packet, RECURSION_DESIRED, decode, encode } from 'dns-packet';
import type { RecordType } from '../../../src/dns/rrset.ts';
import { framed, frames } from '../../faults/dns-door.ts';

/** The values of the set at exactly this name, in the text of a RecordSet. */
export async function standingAt(server: string, name: string, type: RecordType): Promise<readonly string[]> {
  const id = Math.floor(Math.random() * 65_536);
  const questions = [{ name, type }] as NonNullable<Packet['questions']>;
  const packet = decode(await exchange(server, encode({ type: 'query', id, flags: RECURSION_DESIRED, questions })));
  const { answers = [] } = packet;
  return answers.filter((one) => one.name.toLowerCase() === name && one.type === type).map(valueOf);
}

function exchange(server: string, query: Buffer): Promise<Buffer> {
  const socket = connect(53, server, () => socket.write(framed(query)));
  return new Promise<Buffer>((resolve, reject) => {
    socket
      .setTimeout(5000, () => socket.destroy(new Error(`${server} is silent`)))
      .once('error', reject)
      .once('close', () => reject(new Error(`${server} hung up`)))
      .on('data', frames(resolve));
  }).finally(() => socket.destroy());
}

function valueOf(answer: Answer): string {
  if (answer.type === 'TXT') return Buffer.concat([answer.data].flat().map((part) => Buffer.from(part))).toString();
  if (answer.type === 'CNAME') return answer.data.toLowerCase();
  if (answer.type !== 'TLSA') return String((answer as { readonly data: unknown }).data);
  const { usage, selector, matchingType, certificate } = answer.data;
  return `${usage} ${selector} ${matchingType} ${certificate.toString('hex')}`;
}
