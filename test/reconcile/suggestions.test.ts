import { afterEach, beforeEach, expect, test } from 'vitest';
import { newAccountKey } from '../../src/apply/acme-keys.ts';
import { type Acme, createAcme } from '../../src/apply/acme.ts';
import type { IssuerApi } from '../../src/apply/issuers.ts';
import { createLog } from '../../src/log.ts';
import { renewalIdOfChain } from '../../src/pki/renewal.ts';
import { createSuggestions, type Suggestions } from '../../src/reconcile/suggestions.ts';
import { type AcmeStandIn, startAcmeStandIn } from '../apply/acme-stand-in.ts';
import { makeCa } from '../pki/certificates.ts';
import { certificate, now as start } from '../plan/cases.ts';

const minute = 60_000;
const window = { start: start + 1000, end: start + 2000 };
let server: AcmeStandIn;
let acme: Acme;
let chain: string;
let now: number;
let lines: string[];
let suggestions: Suggestions;
beforeEach(async () => {
  server = await startAcmeStandIn(() => ({}));
  const { directoryUrl, caBundle } = server;
  acme = createAcme({ directoryUrl, caBundle, accountKeyPem: newAccountKey() });
  chain = (await (await makeCa()).issue({ names: ['mx1.example.com'] })).cert;
  now = start;
  lines = [];
  const clock = { now: () => now };
  suggestions = createSuggestions({ clock, log: createLog((line) => lines.push(line), 'info', clock) });
});
afterEach(async () => {
  await acme.close();
  await server.stop();
});

const says = (retryAfter?: string) =>
  server.next(`/renewal-info/${renewalIdOfChain(chain)}`, {
    body: { suggestedWindow: { start: new Date(window.start), end: new Date(window.end) } },
    headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  });
const issuer = (): IssuerApi => ({ kind: 'acme', name: 'ca', acme });
const view = (askedAt = 0) => suggestions.view(issuer(), certificate({ chain }), askedAt);
const questions = () => server.requests.filter((one) => one.startsWith('GET /renewal-info/')).length;

test('what the CA says is remembered until it wants to be asked again', async () => {
  says('7200');
  expect(await view()).toEqual(window);
  now += 119 * minute;
  expect(await view()).toEqual(window);
  expect(questions()).toBe(1);
  now += minute;
  says();
  await view();
  expect(questions()).toBe(2);
});

test.each([
  ['not at all', '0', minute],
  ['for ever', '999999999', 24 * 60 * minute],
  ['without a word', undefined, 6 * 60 * minute],
])('a CA that wants to be left alone %s is asked within bounds', async (_, retryAfter, untilMs) => {
  says(retryAfter);
  await view();
  now += untilMs - 1;
  await view();
  expect(questions()).toBe(1);
  now += 1;
  await view();
  expect(questions()).toBe(2);
});

test('a CA that does not answer changes nothing, is asked ever more rarely, and is told of in the log', async () => {
  says('60');
  await view();
  for (const [waitMs, asked] of [
    [minute, 2],
    [minute, 2],
    [minute, 3],
    [3 * minute, 3],
    [minute, 4],
  ] as const) {
    now += waitMs;
    expect(await view()).toEqual(window);
    expect(questions()).toBe(asked);
  }
  expect(lines[0]).toContain('the CA does not say when to renew');
});

test('about a certificate that was just made nothing is asked for ten minutes, but for a fresh look', async () => {
  suggestions.issued(chain);
  expect(await view()).toBeUndefined();
  expect(questions()).toBe(0);
  now += minute;
  says();
  expect(await view(now)).toEqual(window);
  now += 10 * minute;
  expect(questions()).toBe(1);
});

test.each<[string, IssuerApi, string]>([
  ['an issuer that signs itself', { kind: 'selfSigned', name: 'ca', years: 3 }, 'ca'],
  ['another than made the certificate', { kind: 'acme', name: 'other', acme: {} as Acme }, 'ca'],
])('of %s nothing is asked', async (_, by, of) => {
  expect(await suggestions.view(by, certificate({ chain, issuer: of }), 0)).toBeUndefined();
});

test('of a certificate that can not be read nothing is asked', async () => {
  suggestions.issued('no chain');
  expect(await suggestions.view(issuer(), certificate(), 0)).toBeUndefined();
  expect(questions()).toBe(0);
});
