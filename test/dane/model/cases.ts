/** The bounded cases of the rollover: together they hold everything that may befall it, each a few of these at a time. */
import { type Case, everyZone } from './keys-model.ts';

const base: Case = {
  name: 'a rotation, and back',
  hosts: ['c'],
  stands: '',
  servers: 1,
  wishes: ['Nothing', 'RotateNow', 'Back'],
  holds: [false],
  zones: ['Secure'],
  danes: ['Auto'],
  ttls: [1],
  adopt: false,
  attested: false,
};
const rotates = ['Nothing', 'RotateNow'] as const;

/** Some seconds in all. */
export const shortCases: readonly Case[] = [
  base,
  { ...base, name: 'two hosts, one of which lags', hosts: ['c', 'c'] },
  { ...base, name: 'two name servers, one of which lags', servers: 2 },
  { ...base, name: 'two pods behind one address', hosts: ['cc'], attested: true, wishes: rotates },
  { ...base, name: 'a zone that is secure now and then', zones: everyZone, wishes: rotates },
  { ...base, name: 'another TTL', ttls: [1, 2], wishes: rotates },
  { ...base, name: 'hands that edit what is ours', hands: true, wishes: rotates },
  { ...base, name: 'a clock that jumps', jumps: [2, -2], wishes: rotates },
  { ...base, name: 'a TLSA set of others', stands: 'f', hosts: ['f'], wishes: rotates },
  {
    ...base,
    name: 'a TLSA set of others that is given to us',
    stands: 'f',
    hosts: ['f'],
    adopt: true,
    wishes: rotates,
  },
];

/** Minutes in all. */
export const longCases: readonly Case[] = [
  {
    ...base,
    name: 'DANE off and on, held and compromised',
    holds: [false, true],
    danes: ['Auto', 'Off'],
    wishes: ['Nothing', 'Compromised'],
  },
  { ...base, name: 'two hosts, two name servers', hosts: ['c', 'c'], servers: 2 },
  { ...base, name: 'two name servers, another TTL', servers: 2, ttls: [1, 2], wishes: rotates },
  { ...base, name: 'two hosts, hands', hosts: ['c', 'c'], hands: true, wishes: rotates },
  { ...base, name: 'two name servers, hands', servers: 2, hands: true, wishes: rotates },
  { ...base, name: 'two hosts, a zone that is secure now and then', hosts: ['c', 'c'], zones: everyZone },
  { ...base, name: 'a clock that jumps, another TTL', jumps: [2, -2], ttls: [1, 2], wishes: rotates },
  { ...base, name: 'two pods, two hosts', hosts: ['cc', 'c'], attested: true },
  { ...base, name: 'given to us, two name servers', stands: 'f', hosts: ['f'], adopt: true, servers: 2 },
];
