import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { bundle } from './bundle.ts';

test('the bundle carries what our code reaches of its libraries and not what comes along with it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'mailseal-bundle-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const bytes = await bundle(dir);
  const names = Object.keys(bytes);
  expect(names).toEqual(expect.arrayContaining(['acme-client', 'undici', '@peculiar/x509', 'dns-packet']));
  const dropped = ['axios', 'node-forge', 'mime-db', 'follow-redirects', 'form-data'];
  expect(names.filter((name) => dropped.includes(name))).toEqual([]);
  // Fetch, web sockets, caches and mocks are more than a quarter of it; client-node's models are 8 MB.
  expect(bytes['undici']).toBeLessThan(550_000);
  expect(bytes['@kubernetes/client-node']).toBeLessThan(100_000);
}, 30_000);
