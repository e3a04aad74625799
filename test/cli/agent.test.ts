import { expect, test } from 'vitest';
import { agentCommand, agentUsage } from '../../src/cli/agent.ts';
import { systemClock } from '../../src/clock.ts';
import { createLog } from '../../src/log.ts';

async function call(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await agentCommand(args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: {},
    log: createLog(() => {}),
    clock: systemClock,
    signal: AbortSignal.abort(),
  });
  return { code, out, err };
}

const enroll = ['enroll', 'mail/mx', 'mx1.example.com'];

test.each([
  ['no verb', [], 'say enroll or run'],
  ['an unknown verb', ['install'], "there is no 'agent install'"],
  ['an unknown option', [...enroll, '--force'], "Unknown option '--force'"],
  ['no host', ['enroll', 'mail/mx', '--out', 'f'], 'enroll takes NAMESPACE/EXCHANGER and HOST'],
  ['an exchanger without namespace', ['enroll', 'mx', 'mx1.example.com', '--out', 'f'], 'enroll takes NAMESPACE'],
  ['no file to write', enroll, 'enroll needs --out FILE'],
  ['an address as host', ['enroll', 'mail/mx', 'mx_1', '--out', 'f'], "'mx_1' is not a host name"],
  ['a U-label', ['enroll', 'mail/mx', 'bücher.example', '--out', 'f'], 'in its A-labels'],
  ['a relative directory', [...enroll, '--out', 'f', '--mail-config', 'postfix'], 'is not an absolute path'],
  ['a server without TLS', [...enroll, '--out', 'f', '--server', 'http://a'], 'is not an https URL'],
  ['half a pair of files', [...enroll, '--out', 'f', '--files', 'key=/k'], 'is neither chain=PATH nor cert=PATH,key='],
  ['a name to connect to', [...enroll, '--out', 'f', '--smtp', 'localhost:25'], 'is not an IP address with a port'],
  ['a token for ever', [...enroll, '--out', 'f', '--token-days', '10000'], 'is not a number from 1 to 365'],
  ['an unknown mail server', [...enroll, '--out', 'f', '--mail-server', 'qmail'], "'qmail' is not one of postfix"],
  ['two ports', [...enroll, '--out', 'f', '--smtp', '::1:25', '--tls', '::1:993'], 'two ways to say one thing'],
  ['a resolver by name', [...enroll, '--out', 'f', '--resolver', 'udp://dns'], '"udp://dns" names no DNS server'],
  [
    'a resolver and none',
    [...enroll, '--out', 'f', '--resolver', 'off', '--resolver', 'udp://192.0.2.53'],
    'contradict',
  ],
  ['run without its file', ['run'], 'run needs --config FILE or --from-folder DIR'],
  ['run with both', ['run', '--config', 'f', '--from-folder', 'd'], 'run needs --config FILE or --from-folder DIR'],
  ['a folder without a host', ['run', '--from-folder', 'd'], '--from-folder needs --host'],
  ['what the file says', ['run', '--config', 'f', '--smtp', '::1:25'], '--smtp is for --from-folder: f says it'],
])('%s is bad usage, said on stderr with exit code 2', async (_, args, message) => {
  const { code, out, err } = await call(args);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
});

test.each([
  ['a missing agent file', ['run', '--config', '/nonexistent/agent.json'], '/nonexistent/agent.json: ENOENT'],
  ['a missing kubeconfig', [...enroll, '--out', 'f', '--kubeconfig', '/nonexistent'], 'the kubeconfig /nonexistent'],
])('%s is a failure with exit code 1', async (_, args, message) => {
  const { code, err } = await call(args);
  expect(code).toBe(1);
  expect(err).toContain(message);
});

test('help goes to stdout', async () => {
  expect(await call(['--help'])).toEqual({ code: 0, out: agentUsage, err: '' });
});
