/** Looks at one address of one MX as a sender would: greeting, EHLO, STARTTLS, certificate, EHLO again, QUIT. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../clock.ts';
import { type Dialogue, type Heard, monotonic, openDialogue } from './smtp-dialogue.ts';
import { keywords, type Reply, rewritingHint, showReply } from './smtp-parse.ts';
import { judgePeer, peerOptions, tlsErrorText } from './tls.ts';
import type { SmtpOutcome, SmtpProbe } from '../pki/observed.ts';

export interface SmtpProbeOptions {
  /** The MX host: SNI, and the name that the certificate must have. */
  readonly host: string;
  /** The IP address to connect to. The caller has checked that it may be asked (no private ranges by default). */
  readonly address: string;
  readonly port?: number;
  readonly ehloName: string;
  /** Milliseconds for the whole probe, at least 60,000 in earnest: a greeting may take a minute. Default 120,000. */
  readonly timeoutMs?: number;
  /** Milliseconds of silence after which the server counts as hung. Default 60,000. */
  readonly idleMs?: number;
  /** Roots beyond the system's, PEM. */
  readonly trust?: readonly string[];
  readonly clock?: Clock;
}

/** What a conversation leaves behind beside its outcome. */
interface Trace {
  readonly notes: string[];
  /** No TLS has been begun: commands still go in the clear. */
  plain: boolean;
}

const connectMs = 30_000;
const quitMs = 2000;

/** Something that ends the probe early, or the next thing to go on with. */
type Step<T> = { readonly done: SmtpOutcome } | { readonly done?: undefined; readonly value: T };

const end = (outcome: Exclude<SmtpOutcome['outcome'], 'Tls'>, detail: string): { readonly done: SmtpOutcome } => ({
  done: { outcome, detail },
});

/** A reply, or the outcome that its absence means at this point of the conversation. */
function expectReply(heard: Heard, when: string): Step<Reply> {
  switch (heard.heard) {
    case 'Reply':
      return { value: heard.reply };
    case 'Timeout':
      return end('Unknown', `${when}: ${heard.detail}`);
    case 'Closed':
      return end('Temporary', `${when}: ${heard.detail}`);
    case 'Malformed':
      return end('NotSmtp', `${when}: ${heard.detail}`);
  }
}

const temporary = (when: string, reply: Reply): { readonly done: SmtpOutcome } =>
  end('Temporary', `${when} the server says to come back later: ${showReply(reply)}`);

const blocked = (when: string, reply: Reply, ehloName: string): { readonly done: SmtpOutcome } =>
  end(
    'Blocked',
    `${when} the server refuses us, which says nothing about its TLS: ${showReply(reply)} ` +
      `(we call ourselves ${ehloName}; our address may be on a block list or lack a PTR record)`,
  );

function connectSocket(options: SmtpProbeOptions, deadline: number): Promise<Step<Socket>> {
  const { address, port = 25 } = options;
  const { promise, resolve } = Promise.withResolvers<Step<Socket>>();
  // RFC 5321 §4.3.1: the server speaks first; nothing is written before its greeting.
  const socket = connect({ host: address, port, autoSelectFamily: false });
  const giveUp = (why: string): void => resolve(end('Unknown', `no connection to port ${port}: ${why}`));
  const timer = setTimeout(() => giveUp('no answer'), Math.min(connectMs, Math.max(0, deadline - monotonic())));
  socket.once('connect', () => resolve({ value: socket }));
  socket.on('error', (error: NodeJS.ErrnoException) => giveUp(connectProblems[error.code ?? ''] ?? error.message));
  return promise.then((step) => {
    clearTimeout(timer);
    if (step.done !== undefined) socket.destroy();
    return step;
  });
}

const connectProblems: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused: nothing listens there, or a firewall says so',
  ETIMEDOUT: 'no answer: the host is down, or port 25 is closed on the way',
  EHOSTUNREACH: 'the host cannot be reached from here',
  ENETUNREACH: 'there is no route from here (no IPv6, perhaps)',
  EADDRNOTAVAIL: 'there is no route from here (no IPv6, perhaps)',
};

async function greet(dialogue: Dialogue, ehloName: string): Promise<Step<{ greeting: Reply; ehlo: Reply }>> {
  const first = await dialogue.hear();
  if (first.heard === 'Closed') return end('Unknown', `before the greeting: ${first.detail}`);
  const greeting = expectReply(first, 'awaiting the greeting');
  if (greeting.done !== undefined) return greeting;
  if (greeting.value.code >= 500) return blocked('In its greeting', greeting.value, ehloName);
  if (greeting.value.code >= 400) return temporary('In its greeting', greeting.value);
  if (greeting.value.code !== 220) return end('NotSmtp', `the greeting is ${showReply(greeting.value)}`);
  const ehlo = expectReply(await dialogue.say(`EHLO ${ehloName}`), 'after EHLO');
  if (ehlo.done !== undefined) return ehlo;
  const { code } = ehlo.value;
  if (code === 250) return { value: { greeting: greeting.value, ehlo: ehlo.value } };
  if (code === 500 || code === 502) {
    const detail = `the server does not know EHLO (${showReply(ehlo.value)}): a box on the way may have rewritten it`;
    return end('NoStartTls', detail);
  }
  if (code >= 500) return blocked('After EHLO', ehlo.value, ehloName);
  if (code >= 400) return temporary('After EHLO', ehlo.value);
  return end('NotSmtp', `the answer to EHLO is ${showReply(ehlo.value)}`);
}

/** The server does not offer STARTTLS: is that so, or was the offer taken out on the way? */
async function withoutOffer(dialogue: Dialogue, greeting: Reply, ehlo: Reply): Promise<SmtpOutcome> {
  const hint = rewritingHint(greeting, ehlo);
  const heard = await dialogue.say('STARTTLS');
  const answers = heard.heard === 'Reply' && heard.reply.code === 220;
  const either = 'it happens on the way, which may be on our side';
  if (answers) {
    const detail = `STARTTLS is not offered but works: the offer is removed on the way, or ${either}`;
    return { outcome: 'NoStartTls', detail: hint === undefined ? detail : `${detail}; ${hint}` };
  }
  const detail =
    hint === undefined ? 'the server does not offer STARTTLS' : `STARTTLS is not offered: ${hint}; ${either}`;
  return { outcome: 'NoStartTls', detail };
}

async function startTls(dialogue: Dialogue, greeting: Reply, ehlo: Reply): Promise<Step<undefined>> {
  if (!keywords(ehlo).has('STARTTLS')) return { done: await withoutOffer(dialogue, greeting, ehlo) };
  const answer = expectReply(await dialogue.say('STARTTLS'), 'after STARTTLS');
  if (answer.done !== undefined) return answer;
  const { code } = answer.value;
  if (code === 220) return { value: undefined };
  const text = showReply(answer.value);
  // RFC 3207 §4: 454 is "TLS not available due to temporary reason".
  if (code === 454)
    return end('Temporary', `the server cannot start TLS, often for want of a readable certificate or key: ${text}`);
  if (code >= 400 && code < 500) return temporary('After STARTTLS', answer.value);
  return end('TlsFailed', `the server offers STARTTLS and then refuses it: ${text}`);
}

async function shakeHands(socket: Socket, options: SmtpProbeOptions, deadline: number): Promise<Step<TLSSocket>> {
  const { promise, resolve } = Promise.withResolvers<Step<TLSSocket>>();
  const tls = connectTls({ socket, ...peerOptions(options.host, options.trust ?? []) });
  const limit = Math.min(options.idleMs ?? 60_000, Math.max(0, deadline - monotonic()));
  const timer = setTimeout(() => resolve(end('Unknown', 'the TLS handshake took too long')), limit);
  tls.once('secureConnect', () => resolve({ value: tls }));
  tls.on('error', (error) => resolve(end('TlsFailed', `the TLS handshake failed: ${tlsErrorText(error)}`)));
  tls.once('close', () => resolve(end('TlsFailed', 'the server closed the connection during the TLS handshake')));
  const step = await promise;
  clearTimeout(timer);
  if (step.done !== undefined) tls.destroy();
  return step;
}

async function insideTls(tls: TLSSocket, options: SmtpProbeOptions, deadline: number): Promise<SmtpOutcome> {
  const peer = judgePeer(tls, options.host, (options.clock ?? systemClock).now());
  const dialogue = openDialogue(tls, { deadline, idleMs: options.idleMs ?? 60_000 });
  const ehlo = expectReply(await dialogue.say(`EHLO ${options.ehloName}`), 'after EHLO inside TLS');
  tls.end('QUIT\r\n');
  if (ehlo.done !== undefined) return ehlo.done;
  const text = showReply(ehlo.value);
  if (ehlo.value.code >= 400 && ehlo.value.code < 500) return temporary('Inside TLS', ehlo.value).done;
  if (ehlo.value.code !== 250) return { outcome: 'TlsFailed', detail: `inside TLS the server refuses EHLO: ${text}` };
  return { outcome: 'Tls', protocol: tls.getProtocol() ?? 'unknown', ...peer };
}

async function converse(
  socket: Socket,
  options: SmtpProbeOptions,
  deadline: number,
  trace: Trace,
): Promise<SmtpOutcome> {
  const dialogue = openDialogue(socket, { deadline, idleMs: options.idleMs ?? 60_000 });
  const greeted = await greet(dialogue, options.ehloName);
  if (greeted.done !== undefined) return greeted.done;
  const started = await startTls(dialogue, greeted.value.greeting, greeted.value.ehlo);
  if (started.done !== undefined) return started.done;
  // RFC 3207 §4.2: whatever was sent in the clear is forgotten, also what lies unread behind the 220.
  const left = dialogue.release();
  if (left > 0) trace.notes.push(`${left} bytes of plaintext followed the 220 of STARTTLS and were thrown away`);
  trace.plain = false;
  const secured = await shakeHands(socket, options, deadline);
  return secured.done ?? insideTls(secured.value, options, deadline);
}

/** Leaves politely; a server that does not let go is left hanging after two seconds. */
async function hangUp(socket: Socket, trace: Trace): Promise<void> {
  if (socket.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => socket.destroy(), quitMs);
  socket.once('close', () => resolve());
  if (trace.plain) socket.end('QUIT\r\n');
  await promise;
  clearTimeout(timer);
}

/** Probes one address once, with one connection. Never rejects: what went wrong is in the outcome. */
export async function probeSmtp(options: SmtpProbeOptions): Promise<SmtpProbe> {
  const { host, address, port = 25, clock = systemClock } = options;
  const deadline = monotonic() + (options.timeoutMs ?? 120_000);
  const trace: Trace = { notes: [], plain: true };
  const at = clock.now();
  const connected = await connectSocket(options, deadline);
  let result: SmtpOutcome;
  if (connected.done !== undefined) result = connected.done;
  else {
    const socket = connected.value;
    result = await converse(socket, options, deadline, trace);
    await hangUp(socket, trace);
  }
  return { host, address, port, at, result, ...(trace.notes.length === 0 ? {} : { notes: trace.notes }) };
}
