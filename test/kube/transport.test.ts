/** Writes that wait for a connection while another operator takes over. */
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createKube, type KubeClient } from '../../src/kube/client.ts';
import { writesWhile } from '../../src/kube/guard.ts';
import type { ConfigMapObject } from '../../src/kube/types.ts';
import { makeCa } from '../pki/certificates.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const map = (name: string): ConfigMapObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
});

interface Api {
  readonly requests: string[];
  readonly answer: http.RequestListener;
  /** Answers what waits, and whatever comes. */
  readonly release: () => void;
  readonly untilAsked: Promise<void>;
}

/** Says nothing until it is released. */
function silentApi(): Api {
  const requests: string[] = [];
  const { promise: untilAsked, resolve: asked } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const answer: http.RequestListener = (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    asked();
    void released.then(() => response.end(JSON.stringify(map('answered'))));
  };
  return { requests, answer, release, untilAsked };
}

function client(url: string, ca: string | undefined, leads: () => boolean): KubeClient {
  const kube = createKube(
    {
      server: new URL(url),
      namespace: undefined,
      credentials: () => Promise.resolve({ headers: {}, tls: ca === undefined ? {} : { ca }, fingerprint: 'one' }),
      forget: () => undefined,
    },
    { userAgent: 'test', connections: 1, mayWrite: writesWhile(leads) },
  );
  undo.push(kube.close);
  return kube;
}

test('a write that waits for a free connection is not sent by whoever leads no more; a question is', async () => {
  const api = silentApi();
  let leads = true;
  const kube = client(`http://127.0.0.1:${await portOf(http.createServer(api.answer))}`, undefined, () => leads);
  const first = kube.create(map('first'));
  const waiting = kube.create(map('waiting'));
  const asking = kube.get({ apiVersion: 'v1', kind: 'ConfigMap', name: 'asked', namespace: 'default' });
  await api.untilAsked;
  leads = false;
  api.release();
  await first;
  await expect(waiting).rejects.toMatchObject({ reason: 'NotLeader' });
  await asking;
  expect(api.requests).toEqual([
    'POST /api/v1/namespaces/default/configmaps',
    'GET /api/v1/namespaces/default/configmaps/asked',
  ]);
});

test('a write whose connection takes long to be made is not sent by whoever leads no more', async () => {
  const ca = await makeCa('Kubernetes');
  const leaf = await ca.issue({ names: ['localhost'] });
  const api = silentApi();
  api.release();
  const tls = https.createServer({ key: leaf.key, cert: leaf.cert + ca.intermediate.cert }, api.answer);
  const behind = await portOf(tls);
  const { promise: dialled, resolve: dial } = Promise.withResolvers<() => void>();
  const front = createServer((socket) => {
    dial(() => void socket.pipe(connect(behind, '127.0.0.1')).pipe(socket));
  });
  let leads = true;
  const kube = client(`https://localhost:${await portOf(front)}`, ca.root.cert, () => leads);
  const write = kube.create(map('late'));
  const shakeHands = await dialled;
  leads = false;
  shakeHands();
  await expect(write).rejects.toMatchObject({ reason: 'NotLeader' });
  expect(api.requests).toEqual([]);
});
