/** The certificates of a compromised key at a real CA: Pebble revokes them, and says so. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newAccountKey } from '../../src/apply/acme-keys.ts';
import { createAcme } from '../../src/apply/acme.ts';
import { type Ground, startGround } from '../e2e/strangers/ground.ts';

/** RFC 5280 §5.3.1. */
const keyCompromise = 1;
let ground: Ground;
beforeAll(async () => {
  ground = await startGround(48);
});
afterAll(() => ground?.stop());

const isReady = (): boolean => ground.isReady();

/** From a host at rest to the next key; the pair that was given up. */
async function compromise(wish: string): Promise<{ readonly chain: string; readonly key: string }> {
  const old = ground.mounted();
  if (old === undefined) throw new Error('nothing was delivered');
  await ground.ask(wish);
  await ground.lookUntil('the Secret has another key', () => ground.mounted()?.key !== old.key);
  expect(await ground.pebble.statusOf(old.chain)).toMatchObject({ Status: 'Valid' });
  return old;
}
const over = (): boolean =>
  ground.state()?.rollover.phase === 'Steady' && ground.state()?.revocations === undefined && isReady();

test('are revoked for keyCompromise when no host presents it any more, and not before', async () => {
  await ground.lookUntil('it has a certificate', () => ground.mounted() !== undefined);
  await ground.take();
  await ground.lookUntil('it is ready', isReady);
  const old = await compromise('compromised');
  ground.start();
  await ground.take();
  await ground.lookUntil('it is over', over);
  expect(await ground.pebble.statusOf(old.chain)).toMatchObject({ Status: 'Revoked', Reason: keyCompromise });
  expect(await ground.pebble.statusOf(ground.mounted()?.chain ?? '')).toMatchObject({ Status: 'Valid' });
});

test('that the CA has revoked already, as after a crash before that was stored, are done with', async () => {
  const old = await compromise(`compromised ${new Date().toISOString()}`);
  const caBundle = readFileSync(ground.pebble.caFile, 'utf8');
  const acme = createAcme({ directoryUrl: ground.pebble.directoryUrl, caBundle, accountKeyPem: newAccountKey() });
  await acme.revoke(old.chain, old.key);
  await acme.close();
  expect(await ground.pebble.statusOf(old.chain)).toMatchObject({ Status: 'Revoked' });
  await ground.take();
  await ground.lookUntil('it is over', over);
  expect(
    ground.exchanger()?.status?.conditions?.find(({ type }) => type === 'CertificateReady')?.message,
  ).not.toContain('not revoked');
});
