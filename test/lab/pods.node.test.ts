import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from './command.ts';
import { type ControlPlane, startControlPlane } from './controlplane.ts';
import { podManifest } from './fixtures/pod.ts';
import { buildImage } from './image.ts';
import { kubectl, kubectlApply } from './kubectl.ts';
import { addAddress, newFolder } from './namespace.ts';
import { type LabNode, startNode } from './node.ts';

const nodeAddress = '10.53.0.1';
const serviceAddress = '10.53.0.80';
let plane: ControlPlane;
let node: LabNode;

beforeAll(async () => {
  await addAddress(nodeAddress);
  await addAddress(serviceAddress);
  plane = await startControlPlane({ dir: newFolder('plane'), address: nodeAddress, controllers: true });
  node = await startNode(plane, { address: nodeAddress });
  const entry = join(import.meta.dirname, 'fixtures', 'hello.ts');
  const image = await buildImage({ name: 'localhost/hello:1', entry, dir: newFolder('image') });
  await node.loadImage(image);
  await kubectl(plane.kubeconfig, 'label', 'namespace', 'default', 'pod-security.kubernetes.io/enforce=restricted');
  await kubectlApply(plane.kubeconfig, JSON.stringify(podManifest('hello', image.ref)));
  await kubectl(plane.kubeconfig, 'wait', '--for=condition=Ready', 'pod/hello', '--timeout=60s');
});
afterAll(async () => {
  await node.stop();
  await plane.stop();
});

function curl(url: string): Promise<string> {
  return run(['curl', '-sS', '--retry', '20', '--retry-connrefused', '--retry-delay', '1', url]);
}

test('a pod under the restricted policy is Ready and answers as a user that is not root', async () => {
  const address = await kubectl(plane.kubeconfig, 'get', 'pod', 'hello', '-o', 'jsonpath={.status.podIP}');
  expect(await curl(`http://${address}:8080/`)).toBe('hello from user 65532');
});

test('its Service answers on the address of the cluster and on an external one', async () => {
  const spec = { selector: { app: 'hello' }, ports: [{ port: 80, targetPort: 8080 }], externalIPs: [serviceAddress] };
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'hello' }, spec };
  await kubectlApply(plane.kubeconfig, JSON.stringify(service));
  const address = await kubectl(plane.kubeconfig, 'get', 'service', 'hello', '-o', 'jsonpath={.spec.clusterIP}');
  expect(await curl(`http://${address}/`)).toBe('hello from user 65532');
  expect(await curl(`http://${serviceAddress}/`)).toBe('hello from user 65532');
});

test('logs and exec work', async () => {
  expect(await kubectl(plane.kubeconfig, 'logs', 'hello')).toBe('listening\n');
  const printed = await kubectl(plane.kubeconfig, 'exec', 'hello', '--', '/node', '-p', 'process.version');
  expect(printed.trim()).toBe(process.version);
});

test('the image holds nothing that could be a shell', async () => {
  const shell = kubectl(plane.kubeconfig, 'exec', 'hello', '--', '/bin/sh', '-c', 'true');
  await expect(shell).rejects.toThrow('no such file or directory');
});
