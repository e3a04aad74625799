import { type AddressInfo, type Socket, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createTransport } from '../../../src/observe/dns/transport.ts';
import type { Question } from '../../../src/observe/dns/wire.ts';
import { type Script, type TestServer, response, startServer } from './servers.ts';

const question: Question = { name: 'mx1.example.com', type: 'A', recursion: true, checkingDisabled: false };
const good: Script = (query) => [
  response(query, { answers: [{ type: 'A', name: 'mx1.example.com', ttl: 60, data: '192.0.2.1' }] }),
];
const truncated: Script = (query) => {
  const bytes = response(query, {});
  bytes.writeUInt8(bytes.readUInt8(2) | 0x02, 2);
  return [bytes];
};

function changed(bytes: Buffer | undefined, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes ?? Buffer.alloc(0));
  change(copy);
  return copy;
}

let server: TestServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function ask(scripts: { udp?: Script; tcp?: Script }, protocol: 'udp' | 'tcp', timeoutMs = 300) {
  server = await startServer(scripts);
  const transport = createTransport({ timeoutMs });
  const endpoint = { protocol, address: '127.0.0.1', port: server.port, serverName: undefined };
  const asked = await transport.ask(endpoint, question);
  transport.close();
  return asked;
}

const hostile: readonly (readonly [string, Script])[] = [
  ['an answer with another id', (query) => [changed(good(query, 0)[0], (copy) => copy.writeUInt8(copy[0]! ^ 0xff, 0))]],
  ['an answer to another name', (query) => [changed(good(query, 0)[0], (copy) => copy.writeUInt8(0x7a, 13))]],
  ['an answer to another type', (query) => [response(query, { questions: [{ name: 'mx1.example.com', type: 'MX' }] })]],
  ['the query sent back', (query) => [query]],
  ['less than a header', (query) => [query.subarray(0, 5)]],
  ['a record cut in the middle', (query) => [good(query, 0)[0]?.subarray(0, -2) ?? query]],
  ['bytes behind the last record', (query) => [Buffer.concat([...good(query, 0), Buffer.alloc(9)])]],
  ['65535 records promised', (query) => [changed(good(query, 0)[0], (copy) => copy.writeUInt16BE(0xffff, 6))]],
  [
    'a name that points at itself',
    (query) => {
      const bytes = good(query, 0)[0] ?? query;
      const owner = 12 + 17 + 4;
      return [Buffer.concat([bytes.subarray(0, owner), Buffer.of(0xc0, owner), bytes.subarray(owner + 17)])];
    },
  ],
];

test.each(hostile)('over UDP %s is passed over and the right answer taken', async (_what, script) => {
  const asked = await ask({ udp: (query, count) => [...script(query, count), ...good(query, count)] }, 'udp');
  expect(asked).toMatchObject({ ok: true, message: { answers: [{ data: '192.0.2.1' }] } });
});

test.each(hostile)('over UDP %s alone is no answer', async (_what, script) => {
  const asked = await ask({ udp: script }, 'udp');
  expect(asked).toMatchObject({ ok: false, noRoute: false });
  expect(asked.ok ? '' : asked.detail).toMatch(/^no answer within 0\.[0-3] s/);
});

test.each(hostile)('over TCP %s is an error or a timeout, never an answer', async (_what, script) => {
  expect(await ask({ tcp: script }, 'tcp')).toMatchObject({ ok: false });
});

test('a lost datagram is sent again', async () => {
  const asked = await ask({ udp: (query, count) => (count < 2 ? [] : good(query, count)) }, 'udp', 2500);
  expect(asked.ok).toBe(true);
  expect(server?.seen.udp).toBe(2);
});

test('a truncated answer is fetched over TCP', async () => {
  expect(await ask({ udp: truncated, tcp: good }, 'udp')).toMatchObject({ ok: true });
  expect(server?.seen).toMatchObject({ udp: 1, tcp: 1 });
});

test('an answer truncated in the middle of a record is fetched over TCP', async () => {
  const cut: Script = (query) => [
    changed(good(query, 0)[0]?.subarray(0, -2), (copy) => copy.writeUInt8(copy.readUInt8(2) | 0x02, 2)),
  ];
  expect(await ask({ udp: cut, tcp: good }, 'udp')).toMatchObject({ ok: true });
});

test('an answer truncated even over TCP is none', async () => {
  expect(await ask({ tcp: truncated }, 'tcp')).toMatchObject({ ok: false });
});

test('a server that closes the connection is unreachable', async () => {
  expect(await ask({}, 'tcp')).toMatchObject({ ok: false, noRoute: false });
});

test('nobody listening is unreachable at once', async () => {
  const gone = await startServer({});
  await gone.stop();
  const transport = createTransport({ timeoutMs: 2000 });
  const endpoint = { protocol: 'udp', address: '127.0.0.1', port: gone.port, serverName: undefined } as const;
  const asked = await transport.ask(endpoint, question);
  expect(asked).toMatchObject({ ok: false, noRoute: false, detail: expect.stringContaining('ECONNREFUSED') });
});

test('a hundred questions at once share one connection, answers in any order', async () => {
  const held: Buffer[] = [];
  server = await startServer({
    tcp: (query) => {
      held.push(...good(query, 0));
      return held.length === 100 ? held.reverse() : [];
    },
  });
  const transport = createTransport({ timeoutMs: 2000 });
  const endpoint = { protocol: 'tcp', address: '127.0.0.1', port: server.port, serverName: undefined } as const;
  const all = await Promise.all(Array.from({ length: 100 }, () => transport.ask(endpoint, question)));
  transport.close();
  expect(all.filter((asked) => asked.ok)).toHaveLength(100);
  expect(server.seen.connections).toBe(1);
});

test.each([
  ['promises 65535 bytes and sends a hundred', (socket: Socket) => void socket.write(Buffer.alloc(102, 0xff))],
  ['sends one byte', (socket: Socket) => void socket.write(Buffer.alloc(1))],
  ['sends answers that nobody asked for', (socket: Socket) => void socket.write(Buffer.alloc(5000))],
  ['accepts and is silent', () => undefined],
])('a server that %s is unreachable in time', async (_what, greet) => {
  const sockets: Socket[] = [];
  const slow = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    greet(socket);
  });
  await new Promise<void>((resolve) => {
    slow.listen(0, '127.0.0.1', resolve);
  });
  const { port } = slow.address() as AddressInfo;
  const transport = createTransport({ timeoutMs: 300 });
  const started = performance.now();
  const asked = await transport.ask({ protocol: 'tcp', address: '127.0.0.1', port, serverName: undefined }, question);
  expect(asked).toMatchObject({ ok: false, noRoute: false });
  expect(performance.now() - started).toBeLessThan(1000);
  for (const socket of sockets) socket.destroy();
  slow.close();
});

test('a server that does not speak TLS is unreachable over TLS', async () => {
  server = await startServer({ tcp: good });
  const transport = createTransport({ timeoutMs: 500 });
  const endpoint = { protocol: 'tls', address: '127.0.0.1', port: server.port, serverName: 'dns.example' } as const;
  expect(await transport.ask(endpoint, question)).toMatchObject({ ok: false });
  transport.close();
});
