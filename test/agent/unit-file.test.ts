import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { defaultConfigs } from '../../src/agent/servers/open.ts';
import { agentUsage } from '../../src/cli/agent.ts';

const text = readFileSync(join(import.meta.dirname, '../../examples/agent/mailseal-agent@.service'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'mailseal-unit-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

test.skipIf(!hasSystemd)('systemd finds nothing wrong with the unit, and little that an attacker gains', () => {
  const unit = join(folder, 'mailseal-agent@postfix.service');
  // Where Node.js lies on this machine is not what is looked at.
  writeFileSync(unit, text.replace('/usr/bin/node /opt/mailseal/main.js', process.execPath));
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
  expect({ status: verified.status, said: verified.stderr }).toEqual({ status: 0, said: '' });
  const judged = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=35', unit], {
    encoding: 'utf8',
  });
  expect(judged.status, judged.stdout.split('\n').at(-2)).toBe(0);
});

test('the unit starts a command that exists, and may write where the mail servers are configured', () => {
  const command = /^ExecStart=(.*)$/mu.exec(text)?.[1] ?? '';
  const options = [...command.matchAll(/--[a-z-]+/gu)].map(([option]) => option);
  expect(options).not.toEqual([]);
  for (const option of options) expect(agentUsage).toContain(option);
  const writable = (/^ReadWritePaths=(.*)$/mu.exec(text)?.[1] ?? '').split(' ').map((path) => path.replace(/^-/u, ''));
  for (const config of Object.values(defaultConfigs))
    expect(writable.some((path) => config.startsWith(path))).toBe(true);
});
