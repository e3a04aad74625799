/** `mailseal plan` from files alone, with a real name server and real resolvers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { newFolder } from '../lab/namespace.ts';
import { clock, type DnsLab, startDnsLab } from '../observe/dns/lab.ts';

let lab: DnsLab;
let dir: string;
let serial: number;
const zone = 'example.test';

beforeAll(async () => {
  lab = await startDnsLab(12);
  dir = newFolder('plan');
});
afterAll(async () => {
  await lab?.stop();
});
beforeEach(async () => {
  serial = await lab.bind.serial(zone);
});

const ours = (kind: string, name: string, spec: object, metadata: object = {}): object => ({
  apiVersion: 'mailseal.dev/v1alpha1',
  kind,
  metadata: { name, ...metadata },
  spec,
});

/** Everything that a plan needs, one file. */
function manifest(change: { readonly secret?: string; readonly adopt?: string } = {}): string {
  const secret = change.secret ?? lab.bind.tsig.secret;
  const annotations = change.adopt === undefined ? {} : { annotations: { 'mailseal.dev/adopt': change.adopt } };
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'dns-update-key', namespace: 'mailseal-system' },
      stringData: { 'tsig-secret': secret },
    },
    ours('DNSProvider', 'main', {
      zones: [zone],
      allowedNamespaces: { names: ['mail'] },
      rfc2136: { server: lab.addresses.primary, tsigKeyName: lab.bind.tsig.name },
      credentialsSecretRef: { name: 'dns-update-key' },
    }),
    // Nothing listens there, and nobody asks.
    ours('CertificateIssuer', 'ca', { default: true, acme: { server: 'https://127.0.0.1:9/directory' } }),
    ours(
      'MailDomain',
      'example',
      { domain: zone, mx: { hosts: [`mx1.${zone}`] }, tlsRpt: { rua: [`mailto:tls@${zone}`] } },
      { namespace: 'mail', ...annotations },
    ),
  ];
  const file = join(dir, 'all.yaml');
  writeFileSync(file, objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  return file;
}

async function plan(
  file: string,
  ...more: readonly string[]
): Promise<{ readonly code: number; readonly out: string }> {
  let out = '';
  const write = (text: string): void => void (out += text);
  const resolver = ['--outside-resolver', `udp://${lab.addresses.unbound}:53`];
  const names = ['--secure-name', zone, '--bogus-name', 'broken.test', '--allow-addresses', '10.53.0.0/16,fd53::/16'];
  const args = ['plan', '-f', file, ...resolver, ...names, '--no-probe', '--policy-address', '10.53.12.9', ...more];
  const io = { env: {}, clock, readStdin: async () => '', signal: new AbortController().signal };
  const code = await runCli(args, { ...io, out: write, err: write });
  return { code, out };
}

/** Nothing was written: no message that changes anything has reached the name server. */
async function expectUntouched(): Promise<void> {
  expect(await lab.bind.serial(zone)).toBe(serial);
  expect(lab.bind.updates(zone)).toBe(0);
}

test('a domain that does not exist yet is shown with all records that will come, in the same words each time', async () => {
  const { code, out } = await plan(manifest());
  expect(code).toBe(2);
  expect(out).toContain('DNSProvider main (example.test)\n  Ready=True\n  nothing to change');
  expect(out).toContain(`MailExchanger mail/example (mx1.${zone})`);
  expect(out).toContain('DNSSECSecure=True');
  expect(out).toContain(`  certificate: an order for mx1.${zone} is opened at CertificateIssuer ca`);
  expect(out).toContain(
    `  later: + _25._tcp.mx1.${zone} 3600 TLSA 3 1 1 (of the first key, made then) | 3 1 1 (of the`,
  );
  expect(out).toContain(`  later: + mta-sts.${zone} 300 A 10.53.12.9`);
  expect(out).toContain(`  later: + _smtp._tls.${zone} 300 TXT "v=TLSRPTv1; rua=mailto:tls@${zone};"`);
  expect(out).toContain(`  later: + _mta-sts.${zone} 300 TXT "v=STSv1; id=(made then);"`);
  expect(out).toContain('      when: the policy is served everywhere (there is no policy pod;');
  expect(await plan(manifest())).toEqual({ code, out });
  await expectUntouched();
});

test('for programs it has one form', async () => {
  const { code, out } = await plan(manifest(), '--json');
  const { objects, summary } = JSON.parse(out);
  expect(code).toBe(2);
  expect(objects.map(({ kind }: { readonly kind: string }) => kind)).toEqual([
    'DNSProvider',
    'CertificateIssuer',
    'MailExchanger',
    'MailDomain',
  ]);
  expect(summary).toMatchObject({ objects: 4, errors: 0, refused: 0 });
  expect(out).not.toContain(lab.bind.tsig.secret);
  await expectUntouched();
});

test('a key that the name server does not take is an error of all that need it', async () => {
  const { code, out } = await plan(manifest({ secret: Buffer.alloc(32, 1).toString('base64') }));
  expect(code).toBe(1);
  expect(out).toContain('DNSProvider main (example.test)\n  error: ProviderUnauthorized');
  expect(out).toContain(`MailDomain mail/example (${zone})\n  error: ProviderUnauthorized`);
});

describe('where a record stands already that someone else wrote', () => {
  const name = `_smtp._tls.${zone}`;
  const byHand = (line: string): Promise<unknown> => lab.bind.dynamicUpdate(`zone ${zone}\n${line}`);
  beforeAll(() => byHand(`update add ${name}. 600 TXT "v=TLSRPTv1; rua=mailto:old@${zone}"`));
  afterAll(() => byHand(`update delete ${name}.`));

  test('it is refused, and said how it is given to Mailseal', async () => {
    const { code, out } = await plan(manifest());
    expect(code).toBe(2);
    expect(out).toContain(`  refused: ForeignRecord: ${name} TXT already stands and is not ours`);
    expect(out).toContain(`mailseal.dev/adopt: ${name} TXT`);
  });

  test('one that is given is shown as it is and as it will be, before anything happens', async () => {
    const { out } = await plan(manifest({ adopt: `${name} TXT` }));
    expect(out).toContain(`  later: ~ - ${name} 600 TXT "v=TLSRPTv1; rua=mailto:old@${zone}"`);
    expect(out).toContain(`  later: ~ + ${name} 300 TXT "v=TLSRPTv1; rua=mailto:tls@${zone};"`);
    expect(out).not.toContain('refused:');
    expect(await lab.bind.serial(zone)).toBe(serial);
  });
});
