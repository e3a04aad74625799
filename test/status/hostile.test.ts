/** What strangers can make the DNS, a mail server or an agent say, in whatever amount: capped, escaped, and still with its mend. */
import { describe, expect, test } from 'vitest';
import { longestMessage, setConditions, type WantedCondition } from '../../src/api/conditions.ts';
import { kinds } from '../../src/api/kinds.ts';
import type { AnySchema } from '../../src/api/schema.ts';
import type { ObservedDomain } from '../../src/plan/domain.ts';
import { domainFindings, domainStatus } from '../../src/status/domain.ts';
import { exchangerFindings, exchangerStatus } from '../../src/status/exchanger.ts';
import { answer, desired, host, now, seen, tlsProbe, txt } from '../plan/cases.ts';
import { planOf, settled, world } from '../plan/domain-world.ts';
import * as mx from '../plan/exchanger-world.ts';

const evil = '\u001b[31m\r\n{"level":"error"}\u202e\u0000\u{e0041}\ud800';
const odd = `"; v=STSv1; id=1 ${evil}`;
const many = Array.from(
  { length: 1000 },
  (_, n) => `${String(n).padStart(4, '0')}.${'a'.repeat(60)}.${'b'.repeat(60)}.example`,
);
const huge = odd.repeat((64 * 1024) / 16);

/** What a status would break in the API server, by the schema of the CRD, or in a terminal. */
function breaches(schema: AnySchema, value: unknown, path: string): readonly string[] {
  switch (schema.type) {
    case 'string': {
      const text = value as string;
      const long = Array.from(text).length > schema.maxLength ? [`${path} is too long`] : [];
      return /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text) ? [...long, `${path} is not clean`] : long;
    }
    case 'array': {
      const items = value as readonly unknown[];
      const inner = items.flatMap((item, at) => breaches(schema.items, item, `${path}[${at}]`));
      return items.length > schema.maxItems ? [...inner, `${path} has too many items`] : inner;
    }
    case 'object':
      return Object.entries(value as object).flatMap(([name, inner]) => {
        const property = schema.properties[name];
        if (inner === undefined) return [];
        return property === undefined ? [`${path}.${name} is unknown`] : breaches(property, inner, `${path}.${name}`);
      });
    case 'integer':
    case 'boolean':
      return [];
  }
}

const written = (status: object, wanted: readonly WantedCondition[]): object => ({
  ...status,
  conditions: setConditions([], wanted, now, 1),
});
const mxSet = (values: readonly string[]): Partial<ObservedDomain> => ({
  mx: { outside: answer('example.com', 'MX', { outcome: 'Found', values }), servers: { hosts: many, ttl: 600 } },
});
const failing = (detail: string): Partial<ObservedDomain> => ({
  mx: { outside: answer('example.com', 'MX', { outcome: 'Bogus', detail }), servers: undefined },
});
const foreign = (value: string): Partial<ObservedDomain> => ({
  state: { ...settled, applied: settled.applied.filter(({ name }) => !name.startsWith('_mta-sts')) },
  views: new Map([...world().views, ['_mta-sts.example.com TXT', seen(txt('_mta-sts.example.com', value))]]),
});
const shownOutside = (value: string): Partial<ObservedDomain> => {
  const name = '_mta-sts.example.com';
  const view = world().views.get(`${name} TXT`);
  const outside = answer(name, 'TXT', { outcome: 'Found', values: Array.from({ length: 500 }, () => value) });
  return {
    views: new Map([...world().views, ...(view === undefined ? [] : [[`${name} TXT`, { ...view, outside }] as const])]),
  };
};
const removed: Partial<ObservedDomain> = {
  state: { ...settled, removedHosts: many.map((name) => ({ host: name, ttl: 600 })) },
};

describe('a domain', () => {
  test.each<readonly [string, Partial<ObservedDomain>]>([
    ['1,000 MX hosts with long names', mxSet(many.map((name) => `10 ${name}`))],
    ['MX hosts of odd octets', mxSet([`10 ${odd}`, `x ${huge}`, '', `10 ${evil}.example.com`])],
    ['a resolver’s words without end', failing(huge)],
    ['a foreign TXT of 64 KB', foreign(huge)],
    ['a foreign TXT that forges lines', foreign(odd)],
    ['another answer outside, in 500 strings', shownOutside(odd)],
    ['1,000 hosts that were taken out of the spec', removed],
  ])('sees %s', (_, change) => {
    const plan = planOf(change);
    const status = written(domainStatus(desired, plan), domainFindings(desired, world(change), plan, undefined));
    expect(breaches(kinds.MailDomain.status, status, 'status')).toEqual([]);
  });

  test('names a few of many MX hosts, how many more there are, and the mend', () => {
    const change = mxSet(many.map((name) => `10 ${name}`));
    const found = domainFindings(desired, world(change), planOf(change), undefined).find(
      ({ type }) => type === 'MXResolved',
    );
    expect(found?.message).toMatch(/ and 99\d more, which the policy does not: .* If it is yours, list it/u);
    expect(found?.message.length).toBeLessThan(2 * longestMessage);
  });
});

describe('an exchanger', () => {
  const attested = { host: 'mx1.example.com', at: now, error: odd };
  test.each<readonly [string, Parameters<typeof host>[0]]>([
    [
      'a mail server with a banner without end',
      { probes: [{ ...tlsProbe(), result: { outcome: 'NoStartTls', detail: huge } }] },
    ],
    ['a mail server that forges lines', { probes: [{ ...tlsProbe(), result: { outcome: 'NotSmtp', detail: odd } }] }],
    [
      'an agent that forges lines',
      { attestation: attested, probes: [{ ...tlsProbe(), result: { outcome: 'NotSmtp', detail: 'x' } }] },
    ],
    ['a validator’s words without end', { security: { verdict: 'Bogus', detail: huge } }],
    [
      'TLSA records without end',
      {
        liveTlsa: answer('_25._tcp.mx1.example.com', 'TLSA', {
          outcome: 'Found',
          authentic: true,
          values: many.map(() => odd),
        }),
      },
    ],
  ])('sees %s', (_, change) => {
    const observed = { hosts: [host(change)] };
    const plan = mx.planOf(observed);
    const findings = exchangerFindings(mx.desired, mx.world(observed), plan, undefined);
    const status = written(exchangerStatus(mx.desired, mx.world(observed), plan), findings);
    expect(breaches(kinds.MailExchanger.status, status, 'status')).toEqual([]);
  });
});
