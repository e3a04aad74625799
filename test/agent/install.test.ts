import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { install, type Installed } from '../../src/agent/install.ts';
import { checkedPair, type Pair } from '../../src/agent/pair.ts';
import type { Presented } from '../../src/agent/presented.ts';
import type { MailServer } from '../../src/agent/servers/server.ts';
import { systemTimers } from '../../src/kube/timers.ts';
import { createLog } from '../../src/log.ts';
import { createAuthority } from '../server/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'mailseal-install-'));
afterAll(() => rmSync(folder, { recursive: true }));

const authority = createAuthority();
const issue = (): Pair => {
  const { key, certificate } = authority.issue(['mx1.example.com']);
  return checkedPair(key, certificate, Date.now());
};
const [first, second] = [issue(), issue()];

/** A mail server that presents what its file held at the last reload, as long as it offers TLS. */
function place(name: string) {
  const chain = join(folder, name, 'chain.pem');
  const pairs = [first, second];
  let shown: Pair | undefined;
  const now = { offersTls: true, accepts: true };
  const held = (): Pair | undefined => pairs.find((pair) => pair.key + pair.chain === readFileSync(chain, 'utf8'));
  const server: MailServer = {
    kind: 'postfix',
    name: 'Postfix',
    config: '/etc/postfix/main.cf',
    test: { command: 'postfix check', run: async () => ({ ok: now.accepts, said: now.accepts ? '' : 'bad line' }) },
    reload: {
      command: 'postfix reload',
      run: async () => {
        shown = held();
        return { ok: true, said: '' };
      },
    },
    owner: async () => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o600 }),
    lacking: async () => ({ settings: [], edits: [] }),
    port: async () => ({ address: '127.0.0.1', port: 25, tls: 'StartTls' }),
  };
  const look = async (): Promise<Presented> => {
    if (!now.offersTls || shown === undefined) return { seen: 'NoTls', detail: 'no STARTTLS' };
    const leaf = { spkiSha256: shown.spkiSha256, notAfter: Date.now(), serial: '1' };
    return { seen: 'Leaf', leaf, fingerprint: shown.fingerprint };
  };
  const offer = (pair: Pair): Promise<Installed> => {
    const log = createLog(() => undefined);
    return install(pair, { server, files: { chain }, look, configure: false, timers: systemTimers, log, settleMs: 0 });
  };
  return { now, offer, held };
}

test('a pair that the server refuses gives way to the one before it', async () => {
  const { now, offer, held } = place('refused');
  expect((await offer(first)).error).toBeUndefined();
  now.accepts = false;
  expect((await offer(second)).error).toMatch(/bad line; rolled back to the earlier certificate/u);
  expect(held()).toBe(first);
});

test('a pair that was presented once stays, whatever fails later: the key before it may have no TLSA record any more', async () => {
  const { now, offer, held } = place('presented');
  await offer(first);
  expect((await offer(second)).error).toBeUndefined();
  now.offersTls = false;
  now.accepts = false;
  expect((await offer(second)).error).toMatch(/bad line; no roll-back: there was no earlier certificate/u);
  expect(held()).toBe(second);
  now.offersTls = true;
  now.accepts = true;
  expect((await offer(second)).error).toBeUndefined();
});
