/** `mailseal drill` on an exchanger whose records, host and certificate are real; the cluster's objects lie in a file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { systemClock as clock } from '../../src/clock.ts';
import { bogusZone, type Ground, mxHost, startGround, zone } from '../e2e/strangers/ground.ts';
import { operator } from '../reconcile/lab-world.ts';

const octet = 49;
let ground: Ground;
beforeAll(async () => {
  ground = await startGround(octet);
});
afterAll(() => ground?.stop());

async function drill(
  kind: string,
  ...more: readonly string[]
): Promise<{ readonly code: number; readonly out: string }> {
  const file = join(ground.dir, 'cluster.yaml');
  writeFileSync(
    file,
    ground
      .objects()
      .map((object) => JSON.stringify(object))
      .join('\n---\n'),
  );
  let out = '';
  const write = (text: string): void => void (out += text);
  const io = {
    env: {},
    clock,
    readStdin: async () => '',
    signal: new AbortController().signal,
    out: write,
    err: write,
  };
  const names = [
    '--namespace',
    operator,
    '--installation-id',
    'strangers-lab',
    '--secure-name',
    zone,
    '--bogus-name',
    bogusZone,
  ];
  const reach = [
    '--outside-resolver',
    `udp://${ground.addresses.resolver}:53`,
    '--allow-addresses',
    `10.53.${octet}.0/24`,
  ];
  const code = await runCli(['drill', kind, 'mail/mx', '--dry-run', '-f', file, ...names, ...reach, ...more], io);
  return { code, out };
}

const isReady = (): boolean => ground.isReady();

test('a rotation is told to its end, and nothing is written', async () => {
  await ground.lookUntil('it has a certificate', () => ground.mounted() !== undefined);
  await ground.take();
  await ground.lookUntil('it is ready', isReady);
  const [serial, requests] = [await ground.bind.serial(zone), ground.pebble.requests().length];
  const { code, out } = await drill('rotate');
  expect(out).toContain(`MailExchanger mail/mx (${mxHost}): if mailseal.dev/rotate-now were`);
  expect(out).toContain('the Secret is given key B, and the hosts take it');
  expect(out).toMatch(/Steady +B C +B +the rotation is over/u);
  expect(out).not.toContain('blocked:');
  expect(code).toBe(0);
  const { steps, blocked } = JSON.parse((await drill('compromise', '--json')).out);
  expect(steps.flatMap(({ what }: { readonly what: readonly string[] }) => what).join()).toContain('are revoked');
  expect(steps.every((one: { readonly daneSendersDefer: boolean }) => !one.daneSendersDefer)).toBe(true);
  expect(blocked).toEqual([]);
  expect([await ground.bind.serial(zone), ground.pebble.requests().length]).toEqual([serial, requests]);
});

test('a host that does not take its key is named, with exit code 2', async () => {
  const before = ground.mounted();
  await ground.ask(new Date().toISOString());
  await ground.lookUntil('the Secret has the next key', () => ground.mounted()?.key !== before?.key);
  const { code, out } = await drill('rotate');
  expect(out).toContain(`blocked: Still with another key: ${mxHost} [${ground.addresses.mx}]`);
  expect(code).toBe(2);
});
