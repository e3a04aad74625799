/** What administrators take away while it is in use; of an exchanger and a domain. */
import { expect, test } from 'vitest';
import { conditionOf } from '../../src/api/conditions.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { createRetirementScene } from './retirement-scene.ts';
import { zone } from './scene.ts';

test.each([
  ['DNSProvider', 'main', ['NoProvider', 'NoProvider']],
  ['CertificateIssuer', 'own', ['NoIssuer', undefined]],
  ['CertificateIssuer', 'ca', [undefined, 'IssuerNotFound']],
] as const)(
  'a %s %s that goes while it is used is named by who needs it; nothing is touched, and all goes on',
  async (kind, name, reasons) => {
    const scene = await createRetirementScene();
    await scene.createDomain();
    const isReady = (): boolean =>
      conditionOf(scene.exchanger()?.status?.conditions, 'Ready')?.status === 'True' &&
      conditionOf(scene.mailDomain()?.status?.conditions, 'RecordsPublished')?.status === 'True';
    const stalled = (): readonly (string | undefined)[] =>
      [scene.exchanger(), scene.mailDomain()].map((one) => conditionOf(one?.status?.conditions, 'Stalled')?.reason);
    const world = await scene.run(isReady);
    const [sets, policy, keys] = [scene.provider.sets(zone), await scene.policy(), scene.state()?.keys];

    const object = scene.kube.dump().find((one) => one.kind === kind && one.metadata.name === name);
    if (object === undefined) throw new Error('it was not there');
    await scene.kube.remove({ apiVersion: object.apiVersion, kind, name });
    let looks = 0;
    await scene.run(() => ++looks > 5, { world });
    expect(stalled()).toEqual(reasons);
    expect([scene.provider.sets(zone), await scene.policy(), scene.state()?.keys]).toEqual([sets, policy, keys]);

    const again = { ...object, metadata: { name } } as KubeObject;
    await scene.kube.create(again);
    await scene.run(() => isReady() && stalled().every((one) => one === undefined), { world });
    expect([scene.provider.sets(zone), await scene.policy(), scene.state()?.keys]).toEqual([sets, policy, keys]);
  },
);
