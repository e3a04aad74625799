import { beforeEach, describe, expect, test } from 'vitest';
import { createAddressPolicy } from '../../src/observe/dns/address.ts';
import { createProber, type Prober, type ProbeWish } from '../../src/observe/prober.ts';
import type { SmtpOutcome } from '../../src/pki/observed.ts';
import { fakeResolver, type FakeWorld } from '../fakes/resolver.ts';
import { digest, hour, minute, second, sent } from '../plan/cases.ts';

const host = 'mx1.example.com';
const start = Date.UTC(2026, 10, 22);
const tls = (letter: string): SmtpOutcome => ({
  outcome: 'Tls',
  protocol: 'TLSv1.3',
  chain: [sent(digest(letter))],
  pkix: { verdict: 'Verified' },
});
const wish = (letter?: string, changedAt = 0): ProbeWish => ({
  spkiSha256: letter === undefined ? undefined : digest(letter),
  changedAt,
});

let time: number;
let asked: string[];
let says: SmtpOutcome;
let dns: FakeWorld;
let prober: Prober;
beforeEach(() => {
  time = start;
  asked = [];
  says = tls('c');
  dns = { records: { [`${host} A`]: ['8.8.8.8'] } };
  prober = createProber({
    resolver: fakeResolver(dns),
    allow: createAddressPolicy(),
    clock: { now: () => time },
    probe: async ({ address }) => {
      asked.push(address);
      return { host, address, port: 25, at: time, result: says };
    },
  });
});
const after = async (ms: number, want: ProbeWish): Promise<number> => {
  const before = asked.length;
  time += ms;
  await prober.probe(host, want);
  return asked.length - before;
};

test('every address of both families is asked, once for all who ask at the same time', async () => {
  dns.records = { [`${host} A`]: ['8.8.8.8', '9.9.9.9'], [`${host} AAAA`]: ['2001:4860:4860::8888'] };
  const [one, two] = await Promise.all([prober.probe(host, wish('c')), prober.probe(host, wish('c'))]);
  expect(one.map(({ address }) => address)).toEqual(['8.8.8.8', '9.9.9.9', '2001:4860:4860::8888']);
  expect(two).toEqual(one);
  expect(asked).toHaveLength(3);
});

describe('a good answer', () => {
  test.each<readonly [string, number, ProbeWish, number]>([
    ['stands for six hours', 6 * hour - 1, wish('c'), 0],
    ['is asked for again after that', 6 * hour, wish('c'), 1],
    ['does not stand for who wants another key', 2 * second, wish('d'), 1],
    ['stands for who wants any', hour, wish(), 0],
    ['is stale when something changed since', second, wish('c', start + 500), 1],
    ['stands when the change came before it', hour, wish('c', start - 1), 0],
    ['stands against a time that is yet to come', hour, wish('c', start + 99 * hour), 0],
  ])('%s', async (_, ms, want, times) => {
    await prober.probe(host, wish('c'));
    expect(await after(ms, want)).toBe(times);
  });
});

test('a bad answer is asked for again ever more rarely, down to once a minute, and at once after a change', async () => {
  says = { outcome: 'TlsFailed', detail: 'alert' };
  await prober.probe(host, wish('c'));
  const pauses: number[] = [];
  for (let n = 0; n < 8; n += 1) {
    let pause = 0;
    while ((await after(second, wish('c'))) === 0) pause += second;
    pauses.push(pause + second);
  }
  expect(pauses.slice(0, 3)).toEqual([4, 8, 16].map((s) => s * second));
  expect(pauses.at(-1)).toBe(minute);
  expect(await after(second, wish('c', time + 500))).toBe(1);
});

test('a host that got well is left in peace again', async () => {
  says = { outcome: 'TlsFailed', detail: 'alert' };
  await prober.probe(host, wish('c'));
  says = tls('c');
  expect(await after(5 * second, wish('c'))).toBe(1);
  expect(await after(hour, wish('c'))).toBe(0);
});

describe('what is not known is not left out', () => {
  const family = (type: string, outcome: 'ServFail' | 'Unreachable' | 'Bogus') =>
    createProber({
      resolver: {
        view: 'outside',
        lookup: async (name, asks) =>
          await fakeResolver(asks === type ? { records: {}, failing: { [name]: outcome } } : dns).lookup(name, asks),
      },
      allow: createAddressPolicy(),
      clock: { now: () => time },
      probe: async ({ address }) => ({ host, address, port: 25, at: time, result: says }),
    });
  test.each(['ServFail', 'Unreachable', 'Bogus'] as const)('AAAA can’t be looked up: %s', async (outcome) => {
    expect(await family('AAAA', outcome).probe(host, wish('c'))).toMatchObject([
      { address: '8.8.8.8', result: { outcome: 'Tls' } },
      { result: { outcome: 'Unknown', detail: expect.stringContaining(`the AAAA records of ${host}`) } },
    ]);
  });
  test('a private address is not connected to, and says so', async () => {
    dns.records = { [`${host} A`]: ['10.0.0.1', '169.254.169.254', '8.8.8.8'] };
    const probes = await prober.probe(host, wish('c'));
    expect(asked).toEqual(['8.8.8.8']);
    expect(probes.map(({ result }) => result.outcome)).toEqual(['Unknown', 'Unknown', 'Tls']);
  });
});

test('a host without addresses has no probes', async () => {
  dns.records = {};
  expect(await prober.probe(host, wish('c'))).toEqual([]);
});

test('a hostile host with a thousand addresses costs sixteen probes, which prove nothing of the others', async () => {
  dns.records = { [`${host} A`]: Array.from({ length: 1000 }, (_, n) => `8.8.${n >> 8}.${n & 255}`) };
  const probes = await prober.probe(host, wish('c'));
  expect(asked).toHaveLength(16);
  expect(probes.at(-1)?.result).toMatchObject({ outcome: 'Unknown', detail: expect.stringContaining('984 of them') });
});
