import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProvider } from '../../src/apply/providers/index.ts';
import type { Provider } from '../../src/apply/providers/provider.ts';
import { tlsaName } from '../../src/dane/tlsa.ts';
import { createAddressPolicy } from '../../src/observe/dns/address.ts';
import { createAuthorities } from '../../src/observe/dns/authorities.ts';
import { createResolver, type TestedResolver } from '../../src/observe/dns/resolver.ts';
import { lookAtSecurity } from '../../src/observe/security.ts';
import { createRecents } from '../../src/observe/recent.ts';
import { observeRecords, type RecordObserver } from '../../src/observe/records.ts';
import type { ExchangerPlan } from '../../src/plan/exchanger.ts';
import { markName, markValue } from '../../src/plan/ownership.ts';
import type { RecordProblem } from '../../src/plan/record-view.ts';
import { planRecords } from '../../src/plan/records.ts';
import { parts } from '../apply/providers/parts.ts';
import { type Isp, startIsp } from '../lab/isp.ts';
import { waitFor } from '../lab/process.ts';
import { applied, exchangerState, host, installationId, mountedSecret, tlsProbe, txt } from '../plan/cases.ts';
import { both, planOf, settled } from '../plan/exchanger-world.ts';
import { recordChanges, written } from '../plan/steps.ts';
import { clock } from './dns/lab.ts';

const zones = ['plain', 'lame', 'split', 'slow', 'wild', 'unsigned', 'bogus', 'rolling', 'ending', 'failing'];

let isp: Isp;
let provider: Provider;
let outside: TestedResolver;
let inside: TestedResolver;
let authorities: ReturnType<typeof createAuthorities>;

beforeAll(async () => {
  isp = await startIsp();
  provider = await createProvider(
    { zones: zones.map((label) => `${label}.test`), rfc2136: { server: isp.primary, tsigKeyName: isp.bind.tsig.name } },
    { 'tsig-secret': isp.bind.tsig.secret },
    parts({ clock, timeoutMs: 3000 }),
  );
  outside = createResolver({ view: 'outside', servers: [`udp://${isp.outside.address}`] });
  inside = createResolver({ view: 'inside', servers: [`udp://${isp.inside.address}`] });
  for (const view of [outside, inside]) expect(await view.selfTest('test', 'bogus.test')).toBe('Validating');
  const allow = createAddressPolicy(['10.53.0.0/16', 'fd53::/16']);
  authorities = createAuthorities({ resolver: outside, allow, clock, timeoutMs: 1000 });
});
afterAll(async () => {
  for (const one of [outside, inside, authorities]) one?.close();
  await isp?.stop();
});

const observer = (): RecordObserver => ({
  providerOf: async () => provider,
  outside,
  inside,
  authorities,
  recents: createRecents(clock),
});

let ids = 0;

/** Writes a new policy record as the product does, and gives what is still wrong with it whenever it is called. */
async function publish(zone: string): Promise<() => Promise<RecordProblem | undefined>> {
  ids += 1;
  const set = { ...txt(`_mta-sts.${zone}`, `v=STSv1; id=${ids};`), ttl: 5 };
  const [before] = await provider.list(zone, [set]);
  const { name, type } = set;
  await provider.apply(zone, [{ name, type, before, after: set }]);
  return async () => {
    const sought = { ...set, provider: 'main', zone, host: undefined };
    const views = await observeRecords(observer(), [sought]);
    const planned = planRecords({
      wanted: [{ ...set, provider: 'main', zone, settleSeconds: 0 }],
      applied: [applied(set, { zone, standing: 'Intended' })],
      views,
      marked: () => true,
      stranger: () => undefined,
      traits: {},
      leads: undefined,
      adopt: new Set(),
      now: clock.now(),
    });
    expect(planned).toMatchObject({ refused: [], changes: [] });
    return planned.pending[0];
  };
}

type Look = () => Promise<RecordProblem | undefined>;
const until = (reason: string, look: Look): Promise<RecordProblem> =>
  waitFor(`it is ${reason}`, async () => {
    const problem = await look();
    return problem?.reason === reason && problem;
  });
const untilAllIsWell = (look: Look): Promise<true | undefined> =>
  waitFor('all servers and both views show it', async () => (await look()) === undefined || undefined);

describe('a record', () => {
  test('is asked for at every address of the secondaries, and never of the hidden primary', async () => {
    const look = await publish('plain.test');
    await untilAllIsWell(look);
    const answers = await authorities.lookupAll('plain.test', 'plain.test', 'SOA');
    expect(answers.map(({ server, address }) => `${server} ${address}`).sort()).toEqual([
      'a.isp.test 10.53.60.11',
      'a.isp.test fd53::60:11',
      'b.isp.test 10.53.60.12',
      'c.isp.test 10.53.60.13',
    ]);
  });

  test('waits for the secondary that lags, by name, until it has caught up', async () => {
    await isp.c.freeze();
    const look = await publish('plain.test');
    const { message } = await until('ServerLagging', look);
    expect(message).toMatch(
      /^_mta-sts\.plain\.test TXT is not yet at all name servers: c\.isp\.test \(10\.53\.60\.13\) shows v=STSv1; id=\d+;\. Check zone transfers/,
    );
    await isp.c.thaw();
    await untilAllIsWell(look);
  });

  test('that the primary took and no secondary got was accepted and not applied', async () => {
    const secondaries = [isp.a, isp.b, isp.c];
    await Promise.all(secondaries.map((one) => one.freeze()));
    const look = await publish('plain.test');
    const problem = await look();
    expect(problem).toMatchObject({ reason: 'NotApplied', message: expect.stringMatching(/a\.isp.*b\.isp.*c\.isp/) });
    await Promise.all(secondaries.map((one) => one.thaw()));
    await untilAllIsWell(look);
  });

  test('waits for a secondary that does not answer at all', async () => {
    isp.c.part.signal('SIGSTOP');
    try {
      const { message } = await until('ServerSilent', await publish('plain.test'));
      expect(message).toMatch(/c\.isp\.test \(10\.53\.60\.13\) gave no answer.* Let this cluster reach every server/);
    } finally {
      isp.c.part.signal('SIGCONT');
    }
  });

  test.each([
    [
      'a server that only the delegation names and that refuses',
      'lame.test',
      'ServerLame',
      /lame\.isp\.test .* REFUSED/,
    ],
    ['a server that fails to load the zone', 'failing.test', 'ServerFailing', /c\.isp\.test .* SERVFAIL/],
    [
      'an inside view that shows another one',
      'split.test',
      'SplitHorizon',
      /inside resolver answers: v=STSv1; id=inside;/,
    ],
  ])('is held up by %s', async (_, zone, reason, words) => {
    const { message } = await until(reason, await publish(zone));
    expect(message).toMatch(words);
  });

  test('is held up by an outside view that remembers its absence', async () => {
    expect(await outside.lookup('_mta-sts.slow.test', 'TXT')).toMatchObject({ outcome: 'NxDomain' });
    await until('NotSeenOutside', await publish('slow.test'));
  });
});

/** What is planned for a host that presents its key, from what the DNS really says; `standing`: DANE is turned off. */
async function planFor(zone: string, label: string, standing = false): Promise<ExchangerPlan> {
  const name = `${label}.${zone}`;
  const grant = { provider: 'main', zone, settleSeconds: 0 };
  const sets = [
    { name: tlsaName(name, 25), type: 'TLSA' as const, ttl: 5, values: both },
    { ...txt(markName(name), markValue(installationId)), ttl: 5 },
  ];
  const views = await observeRecords(
    observer(),
    sets.map((one) => ({ ...one, ...grant, host: name })),
  );
  const [address, liveTlsa] = await Promise.all([
    outside.lookup(name, 'A'),
    outside.lookup(tlsaName(name, 25), 'TLSA'),
  ]);
  const world = { authorities, outside, recents: createRecents(clock), clock };
  const security = await lookAtSecurity(world, [zone], [address, liveTlsa]);
  const now = clock.now();
  const state = exchangerState({
    rollover: { ...settled.rollover, published: standing },
    applied: standing ? sets.map((set) => applied(set, { zone })) : [],
  });
  return planOf(
    {
      state,
      mounted: { is: 'Ours', object: mountedSecret() },
      views,
      hosts: [host({ host: name, security, liveTlsa, probes: [{ ...tlsProbe(), host: name, at: now }] })],
    },
    {
      hosts: [{ host: name, grant }],
      certificateNames: [name],
      dane: { mode: standing ? 'Off' : 'Auto', ttlSeconds: 5 },
    },
    now,
  );
}

const securityOf = async (zone: string): Promise<unknown> => {
  const answers = await Promise.all([outside.lookup(`mx1.${zone}`, 'A'), outside.lookup(zone, 'MX')]);
  return lookAtSecurity({ authorities, outside, recents: createRecents(clock), clock }, [zone], answers);
};

describe('TLSA records of a host', () => {
  test('are published where the zone is secure and stands still', async () => {
    expect(written(await planFor('plain.test', 'mx1'))).toContain('_25._tcp.mx1.plain.test TLSA');
  });

  test.each([
    ['whose zone is not signed', 'unsigned.test', { verdict: 'Insecure' }],
    ['whose zone is bogus', 'bogus.test', { verdict: 'Bogus' }],
    [
      'whose zone has keys of two algorithms and the DS of one',
      'rolling.test',
      {
        verdict: 'InMotion',
        reason: 'DNSSECInMotion',
        urgent: false,
        detail: expect.stringMatching(/ED25519 has keys and no DS/),
      },
    ],
    [
      'whose signatures end soon at one server',
      'ending.test',
      {
        verdict: 'InMotion',
        reason: 'SignatureExpiring',
        urgent: true,
        detail: expect.stringMatching(
          /signature over DNSKEY at c\.isp\.test \(10\.53\.60\.13\) ends at .*its zone is old \(serial 1,/,
        ),
      },
    ],
  ])('%s are not', async (_, zone, security) => {
    expect(await securityOf(zone)).toMatchObject(security);
    expect(written(await planFor(zone, 'mx1'))).not.toContain(`_25._tcp.mx1.${zone} TLSA`);
  });

  test.each([
    ['go where DANE is turned off and the zone stands still', 'plain.test', ['_25._tcp.mx1.plain.test TLSA']],
    ['stay while the algorithm of the zone is rolled, whatever is wanted', 'rolling.test', []],
  ])('that stand %s', async (_, zone, removed) => {
    const name = `mx1.${zone}`;
    const after = { name: tlsaName(name, 25), type: 'TLSA' as const, ttl: 5, values: both };
    await provider.apply(zone, [{ name: after.name, type: 'TLSA', before: undefined, after }]);
    const gone = recordChanges(await planFor(zone, 'mx1', true)).filter((change) => change.after === undefined);
    expect(gone.map(({ name, type }) => `${name} ${type}`)).toEqual(removed);
  });

  test('that hangs on a wildcard are not, nor is anything else below its name', async () => {
    const plan = await planFor('wild.test', 'anything');
    expect(recordChanges(plan)).toEqual([]);
    expect(plan.records.refused.map(({ reason }) => reason)).toContain('WildcardSynthesised');
  });
});
