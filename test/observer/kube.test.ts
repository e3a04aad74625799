import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeCa } from '../pki/certificates.ts';
import { type KubeWatch, watchKube } from './kube.ts';
import type { Thing } from './sightings.ts';

const lost: Thing = {
  apiVersion: 'mailseal.dev/v1alpha1',
  kind: 'MailDomain',
  metadata: { namespace: 'mail', name: 'lost', resourceVersion: '7' },
  spec: { domain: 'example.com', deletionPolicy: 'Orphan' },
};

/** Of the kind that is looked at; all others are empty. */
let items: readonly Thing[];
let watches: ServerResponse[];
let server: Server;
let watch: KubeWatch | undefined;
let url: string;
let root: string;
beforeEach(async () => {
  [items, watches, watch] = [[lost], [], undefined];
  const ca = await makeCa();
  root = ca.root.cert;
  const leaf = await ca.issue({ names: ['localhost'] });
  server = createServer({ key: leaf.key, cert: leaf.cert + ca.intermediate.cert }, ({ url: path = '' }, response) => {
    const own = path.includes('/maildomains');
    if (!path.includes('watch=1')) {
      response.end(JSON.stringify({ metadata: { resourceVersion: '9' }, items: own ? items : [] }));
    } else if (own) watches.push(response);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  watch?.stop();
  server.closeAllConnections();
  server.close();
});

test('what went while nobody watched is shown as it was last', async () => {
  const sights: (readonly [string, Thing])[] = [];
  const { promise: gone, resolve } = Promise.withResolvers<Thing>();
  watch = watchKube({ url, token: '', ca: root }, (change, thing) => {
    sights.push([change, thing]);
    if (change === 'Gone') resolve(thing);
  });
  await watch.listed;
  await expect.poll(() => watches.length).toBe(1);
  items = [];
  watches[0]?.end(`${JSON.stringify({ type: 'ERROR', object: { code: 410 } })}\n`);
  expect(await gone).toEqual(lost);
  expect(sights.map(([change]) => change)).toEqual(['Stands', 'Gone']);
});

test('what fails at a sight is not taken for a connection that was cut', async () => {
  const wrong = new TypeError('a rule is wrong');
  const { promise: thrown, resolve } = Promise.withResolvers<unknown>();
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.once('uncaughtException', resolve);
  try {
    watch = watchKube({ url, token: '', ca: root }, () => {
      throw wrong;
    });
    expect(await thrown).toBe(wrong);
  } finally {
    for (const other of others) process.on('uncaughtException', other);
  }
});
