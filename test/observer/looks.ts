/** What senders see: the chain that an MX host presents after STARTTLS, and the policy that a pod serves. */
import { X509Certificate } from 'node:crypto';
import https from 'node:https';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import type { PolicyAnswer } from './sightings.ts';

const patienceMs = 4000;

/** Leaf first; undefined where there is no answer, or no STARTTLS. */
export async function presentedChain(
  address: string,
  servername: string | undefined,
): Promise<readonly X509Certificate[] | undefined> {
  const socket = net.connect({ host: address, port: 25 });
  socket.setTimeout(patienceMs, () => socket.destroy(new Error('silent')));
  try {
    return await afterStartTls(socket, servername);
  } catch {
    return undefined; // Whoever can't be reached presents nothing.
  } finally {
    socket.destroy();
  }
}

async function afterStartTls(
  socket: net.Socket,
  servername: string | undefined,
): Promise<readonly X509Certificate[] | undefined> {
  const replies = smtpReplies(socket);
  await replies.next();
  socket.write('EHLO observer.test\r\n');
  const offer = await replies.next();
  if (!/^250[- ]STARTTLS/mu.test(offer)) return undefined;
  socket.write('STARTTLS\r\n');
  if (!(await replies.next()).startsWith('220')) return undefined;
  replies.stop();
  const secure = tls.connect({
    socket,
    rejectUnauthorized: false,
    ...(servername === undefined ? {} : { servername }),
  });
  return new Promise((resolve, reject) => {
    secure.once('error', reject).once('secureConnect', () => {
      resolve(chainOf(secure));
      secure.destroy();
    });
  });
}

function smtpReplies(socket: net.Socket): { readonly next: () => Promise<string>; readonly stop: () => void } {
  let [buffered, wake] = ['', (): void => undefined];
  let ended: Error | undefined;
  const onData = (chunk: Buffer): void => {
    buffered += chunk.toString('latin1');
    wake();
  };
  const onEnd = (error?: unknown): void => {
    ended = error instanceof Error ? error : new Error('closed');
    wake();
  };
  socket.on('data', onData).once('error', onEnd).once('close', onEnd);
  return {
    next: async () => {
      for (;;) {
        const whole = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/u.exec(buffered)?.[0];
        if (whole !== undefined) {
          buffered = buffered.slice(whole.length);
          return whole;
        }
        if (ended !== undefined) throw ended;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    stop: () => void socket.off('data', onData),
  };
}

function chainOf(socket: tls.TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let one: tls.DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (one?.raw !== undefined && !seen.has(one.fingerprint256)) {
    seen.add(one.fingerprint256);
    chain.push(new X509Certificate(one.raw));
    one = one.issuerCertificate;
  }
  return chain;
}

/** A connection of its own each time, so that the certificate is the one of now. */
export function servedPolicy(
  pod: string,
  domain: string,
): Promise<{ readonly answer: PolicyAnswer; readonly chain: readonly X509Certificate[] }> {
  const host = `mta-sts.${domain}`;
  const silent = (error: Error & { readonly code?: string }): PolicyAnswer =>
    /alert|SSL|TLS|EPROTO/u.test(`${error.code} ${error.message}`)
      ? { is: 'UnknownHost' }
      : { is: 'Silent', why: error.message };
  return new Promise((resolve) => {
    const asked = https.get(
      {
        host: pod,
        port: 443,
        path: '/.well-known/mta-sts.txt',
        servername: host,
        headers: { host, connection: 'close' },
        rejectUnauthorized: false,
        agent: false,
        timeout: patienceMs,
      },
      (answer) => {
        const chain = chainOf(answer.socket as tls.TLSSocket);
        text(answer).then(
          (body) => resolve({ answer: answer.statusCode === 200 ? { is: 'Body', body } : { is: 'NoPolicy' }, chain }),
          (error: Error) => resolve({ answer: silent(error), chain }),
        );
      },
    );
    asked.once('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.once('error', (error) => resolve({ answer: silent(error), chain: [] }));
  });
}
