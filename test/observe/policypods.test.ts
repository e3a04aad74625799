import { beforeEach, expect, test } from 'vitest';
import { createPolicyWatch, type PolicyQuestion, type PolicyWatch } from '../../src/observe/policypods.ts';
import type { PolicyFetch } from '../../src/pki/observed.ts';
import { revisionOf } from '../../src/policyshard/shard.ts';
import { digest, hour } from '../plan/cases.ts';

let time: number;
let asked: number;
let body: string;
let revision: string | undefined;
let watch: PolicyWatch;
beforeEach(() => {
  time = 0;
  asked = 0;
  body = 'new';
  revision = undefined;
  const fetch = async (): Promise<PolicyFetch> => {
    asked += 1;
    return {
      address: '192.0.2.1',
      at: time,
      outcome: 'Fetched',
      body,
      contentType: 'text/plain',
      spkiSha256: digest('c'),
      ...(revision === undefined ? {} : { revision }),
    };
  };
  watch = createPolicyWatch({ clock: { now: () => time }, fetch });
});
const wanted = { id: '2', body: 'new', spkiSha256: digest('c') };
const question = (change: Partial<PolicyQuestion> = {}): PolicyQuestion => ({
  domain: 'example.com',
  address: '192.0.2.1',
  port: 443,
  endpoint: 'pod-1',
  wanted,
  askedAt: 0,
  verify: false,
  ...change,
});

test.each<readonly [string, Partial<PolicyQuestion>, number, number]>([
  ['the same question within the hour is answered from memory', {}, hour - 1, 1],
  ['after an hour it is asked again', {}, hour, 2],
  ['someone asked for a fresh look since', { askedAt: 1 }, 1, 2],
  ['another wanted body is asked for', { wanted: { ...wanted, body: 'newer' } }, 0, 2],
  ['another wanted key is asked for', { wanted: { ...wanted, spkiSha256: digest('d') } }, 0, 2],
  ['the same words were published anew', { wanted: { ...wanted, id: '3' } }, 0, 2],
  ['another pod at the same address is asked', { endpoint: 'pod-2' }, 0, 2],
  ['another domain is asked for', { domain: 'example.net' }, 0, 2],
])('%s', async (_, change, ms, want) => {
  await watch.fetch(question());
  time += ms;
  await watch.fetch(question(change));
  expect(asked).toBe(want);
});

test('what is not as wanted is never remembered', async () => {
  body = 'old';
  for (let n = 0; n < 3; n += 1) expect(await watch.fetch(question())).toMatchObject({ body: 'old' });
  expect(asked).toBe(3);
  body = 'new';
  await watch.fetch(question());
  await watch.fetch(question());
  expect(asked).toBe(4);
});

test('the wanted words of an earlier publication are not remembered, those of the wanted one are', async () => {
  revision = revisionOf('new', 'certificate', '1');
  for (let n = 0; n < 3; n += 1) expect(await watch.fetch(question())).toMatchObject({ revision });
  expect(asked).toBe(3);
  revision = revisionOf('new', 'certificate', '2');
  for (let n = 0; n < 3; n += 1) expect(await watch.fetch(question())).toMatchObject({ revision });
  expect(asked).toBe(4);
});
