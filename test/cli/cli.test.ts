import { expect, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';

async function run(args: readonly string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCli(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: {},
    clock: { now: () => 0 },
    readStdin: async () => stdin,
    signal: AbortSignal.abort(),
  });
  return { code, out, err };
}

const programs = ['operator', 'policy-server', 'uninstall-check', 'agent', 'plan', 'lint'] as const;
const policy = 'version: STSv1\r\nmode: enforce\r\nmx: mx1.example.com\r\nmax_age: 1209600\r\n';

test.each<readonly [string, readonly string[], number, string]>([
  ['nothing', [], 2, 'usage: mailseal PROGRAM'],
  ['help', ['help'], 0, 'usage: mailseal PROGRAM'],
  ['--help', ['--help'], 0, 'usage: mailseal PROGRAM'],
  ['-h', ['-h'], 0, 'usage: mailseal PROGRAM'],
])('%s shows what there is', async (_, args, code, words) => {
  expect(await run(args)).toMatchObject({ code, out: expect.stringContaining(words), err: '' });
});

test('the overview names every program', async () => {
  const { out } = await run(['help']);
  for (const program of programs) expect(out).toContain(program);
});

test.each(programs)('mailseal %s --help explains itself and does nothing else', async (program) => {
  expect(await run([program, '--help'])).toMatchObject({ code: 0, out: expect.stringContaining(program), err: '' });
});

test.each<readonly [string, readonly string[], string]>([
  ['a program that there is not', ['publish'], 'there is no program "publish"'],
  ['a flag that there is not', ['operator', '--frobnicate'], '--frobnicate'],
  ['a value that can’t be', ['operator', '--shards', 'many'], '--shards must be a whole number'],
  ['a flag of the policy server', ['policy-server', '--https-address', 'nowhere'], '--https-address'],
  ['a flag of the check before an uninstall', ['uninstall-check', '--force'], '--force'],
  ['an agent that is not told what to do', ['agent', 'sleep'], 'agent'],
])('a command line that can’t be read ends with 2 and says why: %s', async (_, args, words) => {
  expect(await run(args)).toMatchObject({ code: 2, err: expect.stringContaining(words) });
});

test.each<readonly [string, string, number]>([
  ['is right', policy, 0],
  ['is wrong', policy.replace('enforce', 'enforced'), 1],
])('a text that %s', async (_, text, code) => {
  expect(await run(['lint', 'mta-sts-policy', '-'], text)).toMatchObject({ code });
});

test('a program that fails ends with 1 and a sentence, without a stack', async () => {
  const { code, err } = await run(['operator', '--kubeconfig', '/no/such/file']);
  expect(code).toBe(1);
  expect(err).toMatch(/^mailseal operator: .*\n$/u);
});
