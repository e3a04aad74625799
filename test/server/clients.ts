/** Clients of the policy server that say exactly what a test wants: node's TLS, openssl and curl. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

export interface Client {
  readonly port: number;
  readonly ca: string;
}

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export async function openTls({ port, ca }: Client, servername: string, extra: object = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca, ...extra });
  await once(socket, 'secureConnect');
  return socket;
}

/** Writes `text` as it is, and reads until the peer closes. */
export async function exchange(socket: TLSSocket, text: string): Promise<string> {
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return received;
}

/** One answer on a connection that stays open. */
export function ask(socket: TLSSocket, host: string, path = '/.well-known/mta-sts.txt'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let received = '';
    const onData = (chunk: Buffer): void => {
      received += chunk.toString('utf8');
      const answer = parseAnswer(received);
      if (answer === undefined) return;
      socket.off('data', onData);
      resolve(answer);
    };
    socket.on('data', onData);
    socket.once('error', reject);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
}

export function parseAnswer(text: string): Answer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = text.slice(end + 4);
  if (body.length < Number(headers['content-length'] ?? 0) && !first.includes('HEAD')) return undefined;
  return { code: Number(first.split(' ')[1]), headers, body };
}

/** Runs a program to its end; stdout, stderr and the exit code, whatever it is. */
export async function runClient(
  command: string,
  args: readonly string[],
  input = '',
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}
