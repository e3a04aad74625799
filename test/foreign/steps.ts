/** What may happen in a sequence, as data: all of it is drawn from one number, and any part can be left out. */
import type { ProviderPolicy } from '../../src/api/types.ts';
import { createDice, type Dice } from './dice.ts';
import { behind, domain, hosts, keyOf, markOf, type Spot, spots, zone } from './names.ts';
import { type Fault, faults } from './weather.ts';

export type Hand =
  | {
      readonly hand: 'Set';
      readonly name: string;
      readonly type: Spot['type'];
      readonly ttl: number;
      readonly values: readonly string[];
    }
  | { readonly hand: 'Delete' | 'PutBack'; readonly name: string; readonly type: Spot['type'] }
  | { readonly hand: 'Add'; readonly name: string; readonly type: Spot['type']; readonly value: string }
  | { readonly hand: 'Ttl'; readonly name: string; readonly type: Spot['type']; readonly ttl: number }
  | { readonly hand: 'Wildcard'; readonly type: 'A' | 'CNAME' | 'none' }
  /** Does what the status asks for. */
  | { readonly hand: 'Obey' };

export type Wish =
  | {
      readonly wish: 'Exchanger';
      readonly hosts: readonly string[];
      readonly dane: 'Auto' | 'Off';
      readonly ttl: number;
      readonly provider: ProviderName;
      readonly adopt: readonly string[];
    }
  | {
      readonly wish: 'Domain';
      readonly rua: string | undefined;
      readonly ttl: number;
      readonly provider: ProviderName;
      readonly adopt: readonly string[];
    }
  | { readonly wish: 'Policy'; readonly policy: ProviderPolicy }
  | { readonly wish: 'Addresses'; readonly ipv4: readonly string[]; readonly ipv6: readonly string[] }
  | { readonly wish: 'Delete'; readonly kind: 'MailExchanger' | 'MailDomain' };

type ProviderName = 'main' | 'behind';

export type Step =
  | { readonly do: 'Look'; readonly times: number }
  | { readonly do: 'Second' }
  | { readonly do: 'Pass'; readonly ms: number }
  | { readonly do: 'Wish'; readonly wish: Wish }
  | { readonly do: 'Hand'; readonly hand: Hand }
  /** The hand acts between the next plan and its write. */
  | { readonly do: 'Meanwhile'; readonly hand: Hand }
  /** Somebody who does not give up: the hand acts again after every look. */
  | { readonly do: 'Nag'; readonly hand: Hand; readonly times: number }
  /** Another program leads from then on, and has looked, before the next write of the old one arrives. */
  | { readonly do: 'NewLeader'; readonly fenced: boolean; readonly hand: Hand | undefined }
  | { readonly do: 'Kill'; readonly write: number; readonly when: 'before' | 'after' }
  | { readonly do: 'Fault'; readonly fault: Fault }
  | { readonly do: 'Stale'; readonly ms: number }
  | { readonly do: 'Restart' | 'KeepState' | 'PutStateBack' }
  | { readonly do: 'LoseState'; readonly of: 'domain' | 'exchanger' };

/** What a sequence begins with. */
export interface Sequence {
  readonly seed: number;
  /** Which kind of API is played, by its place in the row of those that there are. */
  readonly api: number;
  readonly second: 'none' | 'same' | 'other';
  readonly steps: readonly Step[];
}

export const idOfFirst = 'installation-first';
const second = 1000;
const hour = 3600 * second;

const hex = (dice: Dice): string => Array.from({ length: 64 }, () => '0123456789abcdef'[dice.below(16)]).join('');

/** What somebody else may have at a name of ours; now and then it looks like ours. */
function valuesFor(dice: Dice, { role, type }: Spot): readonly string[] {
  switch (role) {
    case 'mark':
      return dice.one([
        [markOf(idOfFirst)],
        [markOf('installation-other')],
        ['something else'],
        [markOf(idOfFirst), 'and more'],
      ]);
    case 'tlsa':
      return dice.one([[`3 1 1 ${hex(dice)}`], [`3 0 1 ${hex(dice)}`], [`2 1 1 ${hex(dice)}`, `3 1 1 ${hex(dice)}`]]);
    case 'address':
      return type === 'A' ? dice.one([['198.51.100.1'], ['192.0.2.9'], ['192.0.2.7']]) : ['2001:db8::99'];
    case 'reports':
      return dice.one([
        ['v=TLSRPTv1; rua=mailto:theirs@example.net;'],
        ['v=TLSRPTv1; rua=mailto:a@example.net;'],
        ['text'],
      ]);
    case 'policy':
      return dice.one([
        ['v=STSv1; id=theirs;'],
        ['v=STSv1; id=theirs;', 'more'],
        ['v=STSv1; id=20260101000000abcdef01;'],
      ]);
  }
}

function spotFor(dice: Dice): Spot {
  const spot = dice.one(spots);
  return dice.chance(0.2) ? { ...spot, name: behind(spot.name) } : spot;
}

function drawHand(dice: Dice): Hand {
  const spot = spotFor(dice);
  const { name, type } = spot;
  const ttl = dice.one([30, 300, 3600, 86_400]);
  switch (dice.below(12)) {
    case 0:
    case 1:
      return { hand: 'Delete', name, type };
    case 2:
      return { hand: 'Add', name, type, value: dice.one(valuesFor(dice, spot)) };
    case 3:
      return { hand: 'Ttl', name, type, ttl };
    case 4:
      return { hand: 'Set', name, type: 'CNAME', ttl, values: [dice.one([`elsewhere.${zone}`, behind(name)])] };
    case 5:
      return { hand: 'PutBack', name, type };
    case 6:
      return { hand: 'Wildcard', type: dice.one(['A', 'CNAME', 'none']) };
    case 7:
      return { hand: 'Set', name: `_other.${domain}`, type: 'TXT', ttl, values: ['beside'] };
    case 8:
      return { hand: 'Obey' };
    case 9: {
      const mark = dice.one(spots.filter(({ role }) => role === 'mark'));
      return { hand: 'Set', name: mark.name, type: 'TXT', ttl, values: valuesFor(dice, mark) };
    }
    default:
      return { hand: 'Set', name, type, ttl, values: valuesFor(dice, spot) };
  }
}

function drawWish(dice: Dice): Wish {
  const provider = dice.chance(0.75) ? 'main' : 'behind';
  const adopt = dice.chance(0.2) ? dice.some(spots.filter(({ role }) => role !== 'tlsa')).map(keyOf) : [];
  switch (dice.below(10)) {
    case 0:
    case 1:
    case 2: {
      const some = dice.some(hosts);
      const ttl = dice.one([60, 3600]);
      return {
        wish: 'Exchanger',
        hosts: some.length > 0 ? some : hosts.slice(0, 1),
        dane: dice.chance(0.8) ? 'Auto' : 'Off',
        ttl,
        provider,
        adopt,
      };
    }
    case 3:
    case 4:
    case 5:
      return {
        wish: 'Domain',
        rua: dice.one(['a@example.net', 'b@example.net', undefined]),
        ttl: dice.one([30, 300]),
        provider,
        adopt,
      };
    case 6:
      return { wish: 'Policy', policy: dice.one(['Full', 'Full', 'UpsertOnly', 'Observe']) };
    case 7:
      return {
        wish: 'Addresses',
        ipv4: dice.one([['192.0.2.7'], ['192.0.2.8'], ['192.0.2.7', '192.0.2.8'], []]),
        ipv6: dice.one([[], ['2001:db8::7']]),
      };
    default:
      return { wish: 'Delete', kind: dice.one(['MailExchanger', 'MailDomain']) };
  }
}

function drawStep(dice: Dice): Step {
  const at = dice.below(100);
  if (at < 30) return { do: 'Look', times: 1 + dice.below(5) };
  if (at < 50) return { do: 'Hand', hand: drawHand(dice) };
  if (at < 60) return { do: 'Wish', wish: drawWish(dice) };
  if (at < 66) return { do: 'Pass', ms: dice.one([second, 10 * second, 60 * second, hour, 3 * hour, 24 * hour]) };
  if (at < 72) return { do: 'Meanwhile', hand: drawHand(dice) };
  if (at < 75)
    return { do: 'NewLeader', fenced: dice.chance(0.5), hand: dice.chance(0.5) ? drawHand(dice) : undefined };
  if (at < 81) return { do: 'Kill', write: 1 + dice.below(6), when: dice.one(['before', 'after']) };
  if (at < 89) return { do: 'Fault', fault: dice.one(faults) };
  if (at < 91) return { do: 'Stale', ms: dice.one([second, 60 * second, hour]) };
  if (at < 93) return { do: 'Second' };
  if (at < 94) return { do: 'Nag', hand: drawHand(dice), times: 4 + dice.below(3) };
  if (at < 95) return { do: 'Restart' };
  if (at < 96) return { do: 'KeepState' };
  if (at < 98) return { do: 'PutStateBack' };
  return { do: 'LoseState', of: dice.one(['domain', 'exchanger']) };
}

const alike: readonly Extract<Hand, { hand: 'Set' }>[] = [
  {
    hand: 'Set',
    name: `_smtp._tls.${domain}`,
    type: 'TXT',
    ttl: 300,
    values: ['v=TLSRPTv1; rua=mailto:a@example.net;'],
  },
  { hand: 'Set', name: `mta-sts.${domain}`, type: 'A', ttl: 300, values: ['192.0.2.7'] },
];

/** The objects as they are made at first: mostly a moment after the hands have been there. */
function beginning(dice: Dice): readonly Step[] {
  const before: readonly Step[] = dice.chance(0.4)
    ? Array.from({ length: 1 + dice.below(3) }, () => ({ do: 'Hand', hand: drawHand(dice) }))
    : [];
  // Somebody has done by hand just what will be wished for: it stays theirs.
  const same: readonly Step[] = dice.chance(0.2)
    ? dice.some(alike).map((hand): Step => ({ do: 'Hand', hand: { ...hand, ttl: 7200 } }))
    : [];
  const provider = dice.chance(0.85) ? 'main' : 'behind';
  const exchanger: Step = {
    do: 'Wish',
    wish: { wish: 'Exchanger', hosts: hosts.slice(0, 1 + dice.below(3)), dane: 'Auto', ttl: 3600, provider, adopt: [] },
  };
  const mailDomain: Step = {
    do: 'Wish',
    wish: { wish: 'Domain', rua: 'a@example.net', ttl: 300, provider, adopt: [] },
  };
  const cast = dice.one([[exchanger], [exchanger, mailDomain], [exchanger, mailDomain], [mailDomain]]);
  return [...before, ...same, ...cast, { do: 'Look', times: dice.one([0, 2, 12, 12]) }];
}

export function drawSequence(seed: number): Sequence {
  const dice = createDice(seed);
  const start = beginning(dice);
  const steps = Array.from({ length: 6 + dice.below(20) }, () => drawStep(dice));
  return {
    seed,
    api: dice.below(1000),
    second: dice.one(['none', 'none', 'none', 'same', 'other']),
    steps: [...start, ...steps],
  };
}
