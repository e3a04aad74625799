import { beforeEach, expect, test } from 'vitest';
import { formatShard, type HostEntry, revisionOf, shardOf } from '../../src/policyshard/shard.ts';
import { createServed, type Served } from '../../src/server/served.ts';
import { createAuthority } from './certificates.ts';

const host = 'mta-sts.a.example';
const pair = createAuthority().issue([host]);
const now = Date.now();
const [home = '', one = '', two = ''] = [0, 1, 2].map((step) => String((shardOf(host, 3) + step) % 3));
let served: Served;
beforeEach(() => {
  served = createServed(() => 3);
});

function take(shard: string, policy: string | undefined): readonly string[] {
  const entry = (text: string): HostEntry => ({ policy: text, revision: revisionOf(text, pair.certificate), ...pair });
  const hosts = policy === undefined ? {} : { [host]: entry(policy) };
  return served.take(shard, formatShard({ formatVersion: 1, hosts }), now).missing;
}
const shown = (): string | undefined => served.find(host)?.entry.policy ?? undefined;

test.each<readonly [string, readonly (readonly [string, string | undefined])[], string | undefined]>([
  ['its own shard has it', [[home, 'new']], 'new'],
  ['only another shard has it', [[one, 'old']], 'old'],
  [
    'another shard is read before its own',
    [
      [one, 'old'],
      [home, 'new'],
    ],
    'new',
  ],
  [
    'another shard is read after its own',
    [
      [home, 'new'],
      [one, 'old'],
    ],
    'new',
  ],
  [
    'its own shard has lost it',
    [
      [home, 'new'],
      [home, undefined],
    ],
    'new',
  ],
  [
    'its own shard has lost it and another has an old copy',
    [
      [one, 'old'],
      [home, 'new'],
      [home, undefined],
    ],
    'new',
  ],
  [
    'it has moved home and its old copy is gone',
    [
      [one, 'old'],
      [home, 'new'],
      [one, undefined],
    ],
    'new',
  ],
  [
    'its old copy is gone before it is seen at home',
    [
      [one, 'old'],
      [one, undefined],
    ],
    'old',
  ],
  [
    'its only copy moves between others',
    [
      [one, 'old'],
      [two, 'older'],
      [one, undefined],
    ],
    'old',
  ],
  ['no shard ever had it', [[home, undefined]], undefined],
])('what is served where %s', (_, steps, want) => {
  for (const [shard, policy] of steps) take(shard, policy);
  expect(shown()).toBe(want);
  expect(served.size()).toBe(want === undefined ? 0 : 1);
});

test('a loss is told, a move is not', () => {
  expect([take(one, 'old'), take(home, 'new'), take(one, undefined)]).toEqual([[], [], []]);
  expect(take(home, undefined)).toEqual([host]);
});
