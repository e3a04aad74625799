import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Bind, startBind } from './dns.ts';
import { ask } from './dns-ask.ts';
import { startUnbound, type Unbound } from './dns-unbound.ts';
import { type Ca, createCa } from './mail-ca.ts';
import { addAddress, newFolder } from './namespace.ts';
import { waitFor } from './process.ts';

const primary = { v4: '10.53.0.1', v6: 'fd53::1' };
const secondary = { v4: '10.53.0.2', v6: 'fd53::2' };
const resolver = { v4: '10.53.0.3', v6: 'fd53::3' };
const servers = [primary.v4, primary.v6, secondary.v4, secondary.v6];

let bind: Bind;
let unbound: Unbound;
let ca: Ca;

beforeAll(async () => {
  const addresses = [primary, secondary, resolver].flatMap(({ v4, v6 }) => [v4, v6]);
  for (const address of addresses) await addAddress(address);
  const dir = newFolder('dns');
  bind = await startBind({
    dir,
    primary,
    secondary,
    zones: [
      { name: 'example.test', records: '@ MX 10 mx1\nmx1 A 10.53.0.10' },
      { name: 'sub.example.test', records: '@ TXT "below"' },
      { name: 'turning.test', records: '@ TXT "turning"' },
      { name: 'insecure.test', security: 'insecure', records: '@ TXT "unsigned"' },
      { name: 'bogus.test', security: 'bogus', records: '@ TXT "forged"' },
      { name: 'closed.test', allowUpdate: false },
      { name: '53.10.in-addr.arpa', records: '10.0 PTR mx1.example.test.' },
    ],
  });
  ca = await createCa(`${dir}/ca`);
  const tls = await ca.issue({ path: `${dir}/ca/resolver`, names: ['resolver.lab'] });
  unbound = await startUnbound({
    dir: `${dir}/unbound`,
    addresses: [resolver.v4, resolver.v6],
    trustAnchors: bind.trustAnchors,
    stubs: ['test', '53.10.in-addr.arpa'].map((zone) => ({ zone, servers })),
    localData: ['api.lab. 5 IN A 10.96.0.1'],
    tls,
  });
});

afterAll(async () => {
  await unbound?.stop();
  await bind?.stop();
});

async function answerTypes(server: string, name: string, type: 'TXT' | 'TLSA'): Promise<string[]> {
  return (await ask({ server, name, type })).answers.map((answer) => answer.type);
}

describe('the name servers', () => {
  test('show an update that the product signed on every address of both within a second', async () => {
    const before = bind.updates('example.test');
    await bind.dynamicUpdate('zone example.test\nupdate add new.example.test. 5 TXT "here"', 'tsig');
    for (const server of servers) {
      const shown = async (): Promise<boolean> =>
        (await answerTypes(server, 'new.example.test', 'TXT')).includes('TXT');
      await waitFor(`${server} shows the update`, shown, { timeoutMs: 1000, everyMs: 20 });
      expect(await answerTypes(server, 'new.example.test', 'TXT')).toEqual(['TXT', 'RRSIG']);
    }
    expect(bind.updates('example.test') - before).toBe(1);
    expect(await bind.serial('example.test', 'secondary')).toBe(await bind.serial('example.test'));
  });

  test('count a message of many records once, and none of the administrator', async () => {
    const before = [bind.updates(), bind.updates('example.test')];
    const lines = Array.from({ length: 20 }, (_, index) => `update add many${index}.example.test. 5 TXT "x"`);
    await bind.dynamicUpdate(['zone example.test', ...lines].join('\n'), 'tsig');
    await bind.dynamicUpdate('zone example.test\nupdate add byhand.example.test. 5 TXT "x"');
    expect([bind.updates(), bind.updates('example.test')]).toEqual(before.map((count) => count + 1));
  });

  test.each([
    ['a zone that is not open to the product', 'closed.test', 'update add a.closed.test. 5 TXT "x"', 'REFUSED'],
    ['a prerequisite that does not hold', 'example.test', 'prereq nxrrset mx1.example.test. A', 'YXRRSET'],
  ])('refuse an update: %s', async (_, zone, lines, code) => {
    const before = await bind.serial(zone);
    await expect(bind.dynamicUpdate(`zone ${zone}\n${lines}`, 'tsig')).rejects.toThrow(code);
    expect(await bind.serial(zone)).toBe(before);
  });

  test('keep what they were told when they go down, and catch up', async () => {
    await bind.down('secondary');
    await expect(bind.serial('example.test', 'secondary')).rejects.toThrow('ECONNREFUSED');
    await bind.dynamicUpdate('zone example.test\nupdate add missed.example.test. 5 TXT "x"', 'tsig');
    await bind.down('primary');
    await Promise.all([bind.up('primary'), bind.up('secondary')]);
    await bind.settled('example.test');
    expect(await answerTypes(secondary.v4, 'missed.example.test', 'TXT')).toEqual(['TXT', 'RRSIG']);
    expect(bind.updates('example.test')).toBeGreaterThan(0);
  });

  test('log who asked what', async () => {
    await ask({ server: primary.v4, name: 'asked.example.test', type: 'TLSA' });
    await waitFor('the question is in the log', () => bind.queries().some(({ name }) => name === 'asked.example.test'));
    expect(bind.queries().at(-1)).toMatchObject({ client: primary.v4, type: 'TLSA' });
  });
});

describe('the validating resolver', () => {
  test.each([
    ['a record of a secure zone is authentic', 'example.test', 'MX', 'NOERROR', true],
    ['a record of a secure zone below a secure zone is authentic', 'sub.example.test', 'TXT', 'NOERROR', true],
    ['a denial in a secure zone is authentic', '_25._tcp.mx1.example.test', 'TLSA', 'NXDOMAIN', true],
    ['an address has an authentic name', '10.0.53.10.in-addr.arpa', 'PTR', 'NOERROR', true],
    ['a record of an insecure zone is not authentic', 'insecure.test', 'TXT', 'NOERROR', false],
    ['a bogus zone is refused', 'bogus.test', 'TXT', 'SERVFAIL', false],
    ['a name of its own is answered', 'api.lab', 'A', 'NOERROR', false],
    ['a name of the internet does not exist', 'www.example.com', 'A', 'NXDOMAIN', false],
  ] as const)('%s', async (_, name, type, rcode, authentic) => {
    for (const server of [resolver.v4, resolver.v6]) {
      expect(await ask({ server, name, type })).toMatchObject({ rcode, authentic });
    }
  });

  test('a bogus zone shows its data to who asks for no checking', async () => {
    const reply = await ask({ server: resolver.v4, name: 'bogus.test', type: 'TXT', checkingDisabled: true });
    expect(reply).toMatchObject({ rcode: 'NOERROR', authentic: false });
    expect(reply.answers[0]).toMatchObject({ type: 'TXT', data: [Buffer.from('forged')] });
  });

  test.each([
    ['insecure', 'NOERROR', false],
    ['bogus', 'SERVFAIL', false],
    ['secure', 'NOERROR', true],
  ] as const)(
    'a zone turns %s when its parent says so, once the resolver has forgotten it',
    async (security, ...seen) => {
      await bind.delegate('turning.test', security);
      await unbound.flush('test');
      const { rcode, authentic } = await ask({ server: resolver.v4, name: 'turning.test', type: 'TXT' });
      expect([rcode, authentic]).toEqual(seen);
    },
  );

  test('answers over TLS with a certificate of the lab', async () => {
    const socket = connect({ host: resolver.v4, port: 853, ca: readFileSync(ca.caFile), servername: 'resolver.lab' });
    await once(socket, 'secureConnect');
    expect(socket.authorized).toBe(true);
    socket.end();
  });

  test('its certificate holds for no other name', async () => {
    const socket = connect({ host: resolver.v4, port: 853, ca: readFileSync(ca.caFile), servername: 'other.lab' });
    await expect(once(socket, 'secureConnect')).rejects.toThrow('other.lab');
  });
});
