/**
 * One question to one server and its answer: UDP with TCP where the answer does not fit, or TCP or TLS from the
 * start, over connections that are shared while they are in use.
 */
import { messageOf } from '../../errors.ts';
import { askByDatagram } from './datagram.ts';
import { type Endpoint, endpointText } from './endpoint.ts';
import { plainName } from './read.ts';
import { type DnsStream, openStream } from './stream.ts';
import { createTurns } from './turns.ts';
import { type Message, type Question, decodeMessage, encodeName, encodeQuery } from './wire.ts';

/** `noRoute`: this machine has no way to addresses of that family; nothing is said about the server. */
export type Asked =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly detail: string; readonly noRoute: boolean };

export interface Transport {
  /** Never rejects for what a network or a server may do. Throws on what can't be a name. */
  readonly ask: (endpoint: Endpoint, question: Question) => Promise<Asked>;
  readonly close: () => void;
}

export interface TransportOptions {
  /** PEM: whom to trust for `tls://` beside the system's store. */
  readonly caBundle?: string | undefined;
  /** Milliseconds for one question, all its attempts counted. Default 5000. */
  readonly timeoutMs?: number;
}

type Heard = { readonly message: Message } | 'Truncated';

const noRouteCodes = new Set(['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']);
/** Questions by datagram to one address at a time: each takes a socket, and more would only fill the server's queue. */
const mostDatagrams = 48;
/** A router says so at once; a neighbour that is merely down takes seconds. */
const atOnceMs = 100;

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function answers(message: Message, question: Question): boolean {
  const { name, type } = message.question ?? { name: undefined, type: undefined };
  return name === plainName(question.name) && type === question.type;
}

/** Takes a datagram that answers the question, or says that the answer is to be fetched over TCP. */
function judge(datagram: Buffer, question: Question): Heard | undefined {
  try {
    const message = decodeMessage(datagram);
    if (!answers(message, question)) return undefined;
    return message.truncated ? 'Truncated' : { message };
  } catch {
    // A server may cut a truncated answer in the middle of a record; whether TCP gives a better one is seen there.
    const truncated = (datagram.readUInt8(2) & 0x82) === 0x82;
    return truncated ? 'Truncated' : undefined;
  }
}

/** Makes a transport of its own connections; `close` ends them. */
export function createTransport(options: TransportOptions = {}): Transport {
  const timeoutMs = options.timeoutMs ?? 5000;
  const streams = new Map<string, DnsStream>();
  const turns = createTurns(mostDatagrams);

  const streamTo = (endpoint: Endpoint): { readonly stream: DnsStream; readonly reused: boolean } => {
    const key = endpointText(endpoint);
    const open = streams.get(key);
    if (open !== undefined && !open.done()) return { stream: open, reused: true };
    for (const [other, stream] of streams) if (stream.done()) streams.delete(other);
    const stream = openStream(endpoint, { caBundle: options.caBundle });
    streams.set(key, stream);
    return { stream, reused: false };
  };

  const askByStream = async (endpoint: Endpoint, question: Question, deadline: number): Promise<Message> => {
    const build = (id: number): Buffer => encodeQuery(id, question);
    const { stream, reused } = streamTo(endpoint);
    const left = (): number => Math.max(1, deadline - performance.now());
    let bytes: Buffer;
    try {
      bytes = await stream.exchange(build, left());
    } catch (error) {
      // A shared connection may have been closed by the server just then; a fresh one tells.
      if (!reused || performance.now() >= deadline) throw error;
      bytes = await streamTo(endpoint).stream.exchange(build, left());
    }
    const message = decodeMessage(bytes);
    if (!answers(message, question)) throw new Error('the server answered another question');
    if (message.truncated) throw new Error('the server truncated an answer over TCP');
    return message;
  };

  const askOnce = async (endpoint: Endpoint, question: Question, deadline: number): Promise<Message> => {
    if (endpoint.protocol !== 'udp') return await askByStream(endpoint, question, deadline);
    const heard = await turns.take(endpoint.address, () =>
      askByDatagram(
        endpoint,
        (id) => encodeQuery(id, question),
        (datagram) => judge(datagram, question),
        Math.max(1, deadline - performance.now()),
      ),
    );
    if (heard !== 'Truncated') return heard.message;
    return await askByStream({ ...endpoint, protocol: 'tcp' }, question, deadline);
  };

  const ask: Transport['ask'] = async (endpoint, question) => {
    encodeName(question.name);
    const started = performance.now();
    try {
      return { ok: true, message: await askOnce(endpoint, question, started + timeoutMs) };
    } catch (error) {
      const code = codeOf(error);
      const soon = performance.now() - started < atOnceMs;
      const noRoute = noRouteCodes.has(code) || (code === 'EHOSTUNREACH' && soon);
      return { ok: false, detail: messageOf(error) || code, noRoute };
    }
  };

  return {
    ask,
    close: () => {
      for (const stream of streams.values()) stream.close();
      streams.clear();
    },
  };
}
