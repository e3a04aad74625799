/** One question to one server over UDP: the lab's own view, independent of the resolver that it tests. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import {
  type Answer,
  AUTHENTIC_DATA,
  CHECKING_DISABLED,
  type DecodedPacket,
  decode,
  encode,
  RECURSION_DESIRED,
  type RecordType,
} from 'dns-packet';

export interface Question {
  readonly server: string;
  readonly port?: number;
  readonly name: string;
  readonly type: RecordType;
  /** Asks for the data even where validation fails (CD). */
  readonly checkingDisabled?: boolean;
  /** Asks for signatures and the AD bit (DO); true when absent. */
  readonly dnssec?: boolean;
  /** 1000 when absent. */
  readonly timeoutMs?: number;
}

export interface Reply {
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL`, … */
  readonly rcode: string;
  /** The AD bit: the server vouches for the answer. */
  readonly authentic: boolean;
  readonly answers: readonly Answer[];
}

/** Rejects when no answer comes in time; truncation is not retried over TCP. */
export async function ask(question: Question): Promise<Reply> {
  const packet = await exchange(question);
  const { rcode } = packet as DecodedPacket & { readonly rcode: string };
  return { rcode, authentic: packet.flag_ad, answers: packet.answers ?? [] };
}

function exchange(question: Question): Promise<DecodedPacket> {
  const { server, port = 53, timeoutMs = 1000 } = question;
  const id = Math.floor(Math.random() * 65_536);
  const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
  return new Promise<DecodedPacket>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${server} did not answer ${question.name} ${question.type} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.once('error', reject).on('message', (message) => {
      const packet = decode(message);
      if (packet.id !== id) return;
      clearTimeout(timer);
      resolve(packet);
    });
    socket.connect(port, server, () => socket.send(query(question, id)));
  }).finally(() => socket.close());
}

function query({ name, type, checkingDisabled, dnssec = true }: Question, id: number): Buffer {
  const flags = RECURSION_DESIRED | AUTHENTIC_DATA | (checkingDisabled === true ? CHECKING_DISABLED : 0);
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, extendedRcode: 0, ednsVersion: 0 } as const;
  const additionals = [{ ...opt, flags: dnssec ? 0x8000 : 0, flag_do: dnssec, options: [] }];
  return encode({ type: 'query', id, flags, questions: [{ name, type }], additionals });
}
