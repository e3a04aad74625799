/** The SMTP probe against real Postfix. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probeSmtp } from '../../src/observe/smtp.ts';
import type { SmtpOutcome } from '../../src/pki/observed.ts';
import { type Ca, type Certificate, createCa, writeBundle } from '../lab/mail-ca.ts';
import { addAddress, newFolder } from '../lab/namespace.ts';
import { type PostfixMx, startPostfixMx } from '../lab/postfix-mx.ts';
import { waitFor } from '../lab/process.ts';

const host = 'mx1.example.test';
const [good, bare] = ['10.53.0.10', '10.53.0.11'];

let ca: Ca;
let certificate: Certificate;
let mx: PostfixMx;
let mute: PostfixMx;

beforeAll(async () => {
  for (const address of [good, bare]) await addAddress(address);
  const dir = newFolder('smtp');
  ca = await createCa(`${dir}/ca`);
  certificate = await ca.issue({ path: `${dir}/mx1`, names: [host] });
  const common = { resolver: '10.53.0.3', domains: ['example.test'] };
  mx = await startPostfixMx({ ...common, dir: `${dir}/mx`, name: host, v4: good });
  mute = await startPostfixMx({ ...common, dir: `${dir}/bare`, name: 'mx2.example.test', v4: bare, tls: false });
});
afterAll(async () => {
  await mx?.stop();
  await mute?.stop();
});

const probe = async (address: string): Promise<SmtpOutcome> =>
  (await probeSmtp({ host, address, ehloName: 'probe.example.test', trust: [ca.pem], timeoutMs: 30_000 })).result;

/** Postfix's processes take a new file one after the other. */
const seen = (wanted: (outcome: SmtpOutcome) => boolean): Promise<SmtpOutcome> =>
  waitFor('the probe sees the change', async () => {
    const outcome = await probe(good);
    return wanted(outcome) ? outcome : undefined;
  });

test('a certificate in another name, by itself, is seen as what it is', async () => {
  const result = await probe(good);
  expect(result).toMatchObject({
    outcome: 'Tls',
    pkix: { verdict: 'Untrusted', detail: 'the certificate is self-signed' },
  });
  expect(result.outcome === 'Tls' ? result.chain.map(({ names }) => names) : []).toEqual([['localhost']]);
});

test('a new certificate is seen verified once Postfix has taken it', async () => {
  writeBundle(mx.chainFile, certificate);
  await mx.reload();
  const result = await seen((outcome) => outcome.outcome === 'Tls' && outcome.chain[0]?.names[0] === host);
  expect(result).toMatchObject({ outcome: 'Tls', protocol: 'TLSv1.3', pkix: { verdict: 'Verified' } });
});

test('a host without TLS is said to offer none', async () => {
  expect(await probe(bare)).toEqual({ outcome: 'NoStartTls', detail: 'the server does not offer STARTTLS' });
});

test('a key that Postfix has no certificate for is a trouble that may pass', async () => {
  writeFileSync(mx.chainFile, readFileSync(certificate.key));
  await mx.reload();
  const result = await seen(({ outcome }) => outcome !== 'Tls');
  expect(result).toMatchObject({ outcome: 'Temporary', detail: expect.stringContaining('454') as string });
  expect(result).toMatchObject({ detail: expect.stringContaining('readable certificate or key') as string });
});
