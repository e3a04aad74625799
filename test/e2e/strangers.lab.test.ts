/** What other programs that know DANE make of an MX host in every state of a rotation. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tlsaName, tlsaOfKey } from '../../src/dane/tlsa.ts';
import { selfSigned, writeBundle } from '../lab/mail-ca.ts';
import { spkiSha256OfKey } from '../../src/pki/certificate.ts';
import { type Ground, mxHost, startGround, zone } from './strangers/ground.ts';
import { strangers } from './strangers/tools.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await startGround(47);
});
afterAll(() => ground?.stop());

const names = Object.keys(strangers);
const phase = () => ground.state()?.rollover.phase;
const isReady = (): boolean => ground.isReady();
const keyInSecret = (): string => spkiSha256OfKey(ground.mounted()?.key ?? '');
const tlsaInZone = async (): Promise<readonly string[]> => {
  const lines = await ground.bind.transfer(zone);
  const ofHost = lines.filter((line) => line.startsWith(`${tlsaName(mxHost, 25)}.`) && /\sIN\s+TLSA\s/u.test(line));
  const values = ofHost.map((line) => {
    const [usage, selector, matching, ...data] = line.replace(/^.*\sTLSA\s+/u, '').split(/\s+/u);
    return `${usage} ${selector} ${matching} ${data.join('').toLowerCase()}`;
  });
  return values.sort();
};

async function expectAgreed(): Promise<void> {
  for (const name of names) {
    const verdict = strangers[name]?.(ground);
    expect(verdict?.accepts, verdict?.said).toBe(true);
  }
}

describe('strangers accept the host', () => {
  let first: { current: string; next: string };

  test('in Steady, with the records of two keys', async () => {
    await ground.lookUntil('it has a certificate', () => ground.mounted() !== undefined);
    await ground.take();
    await ground.lookUntil('it is ready', isReady);
    const { current = '', next = '' } = ground.state()?.rollover ?? {};
    first = { current, next };
    expect(phase()).toBe('Steady');
    expect(await tlsaInZone()).toEqual([current, next].map(tlsaOfKey).sort());
    await expectAgreed();
  });

  test('in Swapping, while it still presents the old key', async () => {
    await ground.ask(new Date().toISOString());
    await ground.lookUntil('the next key is in the Secret', () => keyInSecret() === first.next);
    expect(phase()).toBe('Swapping');
    await expectAgreed();
  });

  test('in Swapping, as soon as it presents the new one', async () => {
    await ground.take();
    expect(phase()).toBe('Swapping');
    await expectAgreed();
  });

  test('in Retiring, with the records of three keys', async () => {
    const { spare } = await until('three keys are published');
    expect(phase()).toBe('Retiring');
    expect(await tlsaInZone()).toEqual([first.current, first.next, spare].map(tlsaOfKey).sort());
    await expectAgreed();
  });

  test('after it, with the records of its key and the one after', async () => {
    await ground.lookUntil('the rotation is over', () => phase() === 'Steady' && isReady());
    const { current, next = '' } = ground.state()?.rollover ?? {};
    expect(current).toBe(first.next);
    expect(await tlsaInZone()).toEqual([first.next, next].map(tlsaOfKey).sort());
    await expectAgreed();
  });

  async function until(what: string): Promise<{ readonly spare: string }> {
    let shown: readonly string[] = [];
    await ground.lookUntil(what, () => {
      const entry = ground.state()?.applied.find(({ type }) => type === 'TLSA');
      shown = entry?.since === undefined ? [] : entry.values;
      return shown.length === 3;
    });
    return { spare: ground.state()?.rollover.spare ?? '' };
  }
});

test('none of them accepts a key that no record names: they do look', async () => {
  const stranger = await selfSigned({ path: join(ground.dir, 'stranger'), names: [mxHost] });
  writeBundle(ground.mx.chainFile, stranger);
  await ground.mx.reload();
  for (const name of names) {
    const verdict = strangers[name]?.(ground);
    expect(verdict?.accepts, `${name}\n${verdict?.said}`).toBe(false);
  }
});
