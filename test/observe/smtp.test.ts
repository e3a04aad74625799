import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { issueSelfSigned } from '../../src/apply/selfsigned.ts';
import { probeSmtp, type SmtpProbeOptions } from '../../src/observe/smtp.ts';
import type { SmtpOutcome, SmtpProbe } from '../../src/pki/observed.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { type Issued, makeCa, newKey, type TestCa } from '../pki/certificates.ts';
import { type Script, type StandIn, startStandIn, usual } from './smtp-stand-in.ts';

const day = 86_400_000;
let ca: TestCa;
let leaf: Issued;
beforeAll(async () => {
  ca = await makeCa();
  leaf = await ca.issue({ names: ['mx.example.com'] });
});

let server: StandIn | undefined;
afterEach(() => server?.stop());

async function probe(script: Script, options: Partial<SmtpProbeOptions> = {}): Promise<SmtpProbe> {
  server = await startStandIn(script);
  const given = { host: 'mx.example.com', address: '127.0.0.1', port: server.port, ehloName: 'probe.example.net' };
  return probeSmtp({ ...given, timeoutMs: 5000, idleMs: 2000, trust: [ca.root.cert], ...options });
}

const tlsOf = (issued: Issued, ...others: readonly Issued[]): NonNullable<Script['tls']> => ({
  key: issued.key,
  chain: [issued, ...others].map(({ cert }) => cert).join(''),
});
const script = (tls: NonNullable<Script['tls']>, more: Partial<Script> = {}): Script => ({
  greeting: '220 mx\r\n',
  answers: usual,
  tls,
  ...more,
});

async function selfSigned(): Promise<Issued> {
  const key = newKey();
  return { key, cert: await issueSelfSigned({ names: ['mx.example.com'], keyPem: key, years: 1, now: Date.now() }) };
}

const detailOf = (result: SmtpOutcome): string =>
  result.outcome === 'Tls' ? JSON.stringify(result.pkix) : result.detail;

describe('a server with TLS', () => {
  test('is verified, by name and chain as sent, with one connection and a polite end', async () => {
    const { result, ...about } = await probe(script(tlsOf(leaf, ca.intermediate)));
    expect(result).toMatchObject({ outcome: 'Tls', protocol: 'TLSv1.3', pkix: { verdict: 'Verified' } });
    const chain = result.outcome === 'Tls' ? result.chain : [];
    expect(chain.map(({ subject }) => subject)).toEqual(['CN=mx.example.com', 'CN=Test intermediate']);
    expect(chain[0]?.spkiSha256).toBe(spkiSha256OfKey(leaf.key));
    expect(about).not.toHaveProperty('notes');
    const ehlo = 'EHLO probe.example.net';
    expect(server?.heard).toEqual([ehlo, 'STARTTLS', `[${ehlo}]`, '[QUIT]']);
    expect(server?.serverNames).toEqual(['mx.example.com']);
    expect(server?.connections()).toBe(1);
  });

  test('is verified with TLS 1.2 alone', async () => {
    const { result } = await probe(script({ ...tlsOf(leaf, ca.intermediate), maxVersion: 'TLSv1.2' }));
    expect(result).toMatchObject({ outcome: 'Tls', protocol: 'TLSv1.2', pkix: { verdict: 'Verified' } });
  });

  const dated = (from: number, to: number): Promise<Issued> =>
    ca.issue({ names: ['mx.example.com'], notBefore: Date.now() + from * day, notAfter: Date.now() + to * day });

  test.each<[string, () => Promise<NonNullable<Script['tls']>>, string, string]>([
    [
      'without its intermediate',
      async () => tlsOf(leaf),
      'IncompleteChain',
      'not that of its issuer (CN=Test intermediate)',
    ],
    ['with the root in its place', async () => tlsOf(leaf, ca.root), 'IncompleteChain', 'CN=Test intermediate'],
    [
      'of a CA that is unknown',
      async () => {
        const other = await makeCa('Other');
        return tlsOf(await other.issue({ names: ['mx.example.com'] }), other.intermediate);
      },
      'Untrusted',
      'ends at CN=Other root',
    ],
    [
      'with its unknown root',
      async () => {
        const other = await makeCa('Other');
        return tlsOf(await other.issue({ names: ['mx.example.com'] }), other.intermediate, other.root);
      },
      'Untrusted',
      'ends at CN=Other root',
    ],
    ['self-signed', async () => tlsOf(await selfSigned()), 'Untrusted', 'self-signed'],
    [
      'for another host',
      async () => tlsOf(await ca.issue({ names: ['a.example', 'b.example'] }), ca.intermediate),
      'NameMismatch',
      'names a.example, b.example, not mx.example.com',
    ],
    [
      'for a common name only',
      async () => tlsOf(await ca.issue({ names: [] }), ca.intermediate),
      'NameMismatch',
      'no host at all',
    ],
    ['that has expired', async () => tlsOf(await dated(-9, -1), ca.intermediate), 'Expired', 'expired at'],
    ['of tomorrow', async () => tlsOf(await dated(1, 9), ca.intermediate), 'NotYetValid', 'valid only from'],
  ])('shows a certificate %s', async (_what, tls, verdict, detail) => {
    const { result } = await probe(script(await tls()));
    expect(result).toMatchObject({ outcome: 'Tls', pkix: { verdict } });
    expect(detailOf(result)).toContain(detail);
  });

  test('is verified with its chain in a strange order: senders sort it themselves', async () => {
    const { result } = await probe(script(tlsOf(leaf, ca.root, ca.intermediate)));
    expect(result).toMatchObject({ outcome: 'Tls', pkix: { verdict: 'Verified' } });
    expect(result.outcome === 'Tls' ? result.chain : []).toHaveLength(3);
  });

  test('expires by the clock that is given', async () => {
    const clock = { now: () => Date.now() + 60 * day };
    const { result, at } = await probe(script(tlsOf(leaf, ca.intermediate)), { clock });
    expect(result).toMatchObject({ outcome: 'Tls', pkix: { verdict: 'Expired' } });
    expect(at).toBeGreaterThan(Date.now() + 59 * day);
  });

  test('is read right when its replies come in torn packets', async () => {
    const torn = '220-mx\r\n220-a\r\n220 b\r\n'.split('');
    const { result } = await probe(script(tlsOf(leaf, ca.intermediate), { greeting: torn }));
    expect(result).toMatchObject({ outcome: 'Tls' });
  });

  test('whose 220 has plaintext behind it is noted, and the plaintext forgotten', async () => {
    const answers = { ...usual, STARTTLS: '220 go\r\n250-injected\r\n250 STARTTLS\r\n' };
    const { result, notes } = await probe(script(tlsOf(leaf, ca.intermediate), { answers }));
    expect(result).toMatchObject({ outcome: 'Tls' });
    expect(notes).toEqual(['28 bytes of plaintext followed the 220 of STARTTLS and were thrown away']);
  });
});

describe('a server that fails', () => {
  const refuse = (code: string): NonNullable<Script['answers']> => ({ ...usual, STARTTLS: `${code} no\r\n` });
  const offers = (...lines: string[]): string =>
    `250-mx\r\n${lines.map((line) => `250-${line}\r\n`).join('')}250 SIZE\r\n`;

  test.each<[string, Script, SmtpOutcome['outcome'], string]>([
    [
      'offers no STARTTLS',
      { greeting: '220 mx\r\n', answers: { EHLO: offers(), STARTTLS: '502 no\r\n' } },
      'NoStartTls',
      'the server does not offer STARTTLS',
    ],
    [
      'has its offer masked',
      { greeting: '220 mx\r\n', answers: { EHLO: offers('XXXXXXXX'), STARTTLS: '502 no\r\n' } },
      'NoStartTls',
      'overwritten with XXXXXXXX',
    ],
    [
      'has its banner masked',
      { greeting: '220 ***********\r\n', answers: { EHLO: offers(), STARTTLS: '502 no\r\n' } },
      'NoStartTls',
      'overwritten with asterisks',
    ],
    [
      'takes STARTTLS unadvertised',
      { greeting: '220 mx\r\n', answers: { EHLO: offers(), STARTTLS: '220 go\r\n' } },
      'NoStartTls',
      'not offered but works',
    ],
    ['does not know EHLO', { greeting: '220 mx\r\n', answers: { EHLO: '502 what?\r\n' } }, 'NoStartTls', 'rewritten'],
    [
      'has no readable certificate',
      { greeting: '220 mx\r\n', answers: refuse('454') },
      'Temporary',
      'readable certificate or key: 454 no',
    ],
    ['offers STARTTLS and refuses it', { greeting: '220 mx\r\n', answers: refuse('554') }, 'TlsFailed', '554 no'],
    ['says 421 at the banner', { greeting: '421 busy\r\n' }, 'Temporary', '421 busy'],
    [
      'says 554 at the banner',
      { greeting: '554-blocked\r\n554 see http://a.example\r\n' },
      'Blocked',
      '554 blocked / see http://a.example (we call ourselves probe.example.net',
    ],
    ['says 450 to EHLO', { greeting: '220 mx\r\n', answers: { EHLO: '450 later\r\n' } }, 'Temporary', '450 later'],
    ['says 550 to EHLO', { greeting: '220 mx\r\n', answers: { EHLO: '550 go away\r\n' } }, 'Blocked', '550 go away'],
    ['speaks HTTP', { greeting: 'HTTP/1.1 400 Bad Request\r\n\r\n' }, 'NotSmtp', 'no SMTP reply'],
    ['sends a line without end', { greeting: `220 ${'a'.repeat(100_000)}` }, 'NotSmtp', 'longer than 4096 bytes'],
    ['sends lines without end', { greeting: '220-a\r\n'.repeat(10_000) }, 'NotSmtp', 'more than 128 lines'],
    [
      'hangs up on EHLO',
      { greeting: '220 mx\r\n', answers: { EHLO: (socket) => socket.destroy() } },
      'Temporary',
      'after EHLO',
    ],
    [
      'hangs up on the handshake',
      { greeting: '220 mx\r\n', answers: { ...usual, STARTTLS: (socket) => void socket.end('220 go\r\n') } },
      'TlsFailed',
      'handshake',
    ],
    [
      'answers the handshake in plaintext',
      {
        greeting: '220 mx\r\n',
        answers: {
          ...usual,
          STARTTLS: (socket) => {
            socket.write('220 go\r\n');
            socket.once('data', () => socket.write('500 what?\r\n'.repeat(9)));
          },
        },
      },
      'TlsFailed',
      'handshake failed',
    ],
  ])('%s', async (_what, given, outcome, detail) => {
    const { result } = await probe(given);
    expect(detailOf(result)).toContain(detail);
    expect(result.outcome).toBe(outcome);
  });

  test.each<[string, Record<string, string>, SmtpOutcome['outcome']]>([
    ['refuses EHLO inside TLS', { EHLO: '503 no\r\n' }, 'TlsFailed'],
    ['is busy inside TLS', { EHLO: '421 busy\r\n' }, 'Temporary'],
    ['is mute inside TLS', {}, 'Unknown'],
  ])('%s', async (_what, inside, outcome) => {
    const { result } = await probe(script(tlsOf(leaf, ca.intermediate), { inside }), { idleMs: 300 });
    expect(result.outcome).toBe(outcome);
  });
});

describe('a server that takes its time', () => {
  test('is never spoken to before its greeting', async () => {
    const { result } = await probe({ greeting: '' }, { idleMs: 300 });
    expect(result).toEqual({ outcome: 'Unknown', detail: 'awaiting the greeting: nothing came for 0.3 s' });
    expect(server?.heard.filter((line) => line !== 'QUIT')).toEqual([]);
  });

  test('that drips is left at the deadline, however busy it looks', async () => {
    const drip = (socket: { write: (text: string) => void; destroyed: boolean }): void => {
      const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write('250-a\r\n')), 20);
    };
    const started = performance.now();
    const { result } = await probe(
      { greeting: '220 mx\r\n', answers: { EHLO: drip } },
      { timeoutMs: 500, idleMs: 400 },
    );
    expect(result).toEqual({ outcome: 'Unknown', detail: 'after EHLO: it took too long in all' });
    expect(performance.now() - started).toBeLessThan(4000);
  });
});

describe('no server at all', () => {
  test('a refused connection is no verdict', async () => {
    server = await startStandIn({ greeting: '' });
    const { port } = server;
    await server.stop();
    const result = await probeSmtp({ host: 'mx.example.com', address: '127.0.0.1', port, ehloName: 'a.example' });
    expect(result.result).toMatchObject({ outcome: 'Unknown', detail: expect.stringContaining('refused') as string });
  });
});
