/** Claims of retirements that were removed while nobody looked, by what the object of their name is by now. */
import { beforeEach, expect, test } from 'vitest';
import { apiVersion, type MailDomain } from '../../src/api/types.ts';
import type { Claimant } from '../../src/apply/claims.ts';
import { finalizer } from '../../src/reconcile/common.ts';
import { endObject } from '../../src/reconcile/deletion.ts';
import { holdClaim } from '../../src/reconcile/givenup.ts';
import type { World } from '../../src/world.ts';
import { createScene, type Scene } from './scene.ts';

const domain = 'a.example.com';
const former: Claimant = { kind: 'MailDomain', namespace: 'mail', name: 'former' };
const another: Claimant = { kind: 'MailDomain', namespace: 'mail', name: 'another' };
let scene: Scene;
let world: World;
beforeEach(async () => {
  scene = await createScene();
  world = scene.start();
  await world.claims.hold('domain', domain, former);
  await world.claims.pass('domain', domain, former, true);
});

const create = (of: string, finalizers: readonly string[] = []): Promise<MailDomain> =>
  scene.kube.create<MailDomain>({
    apiVersion,
    kind: 'MailDomain',
    metadata: { name: 'former', namespace: 'mail', finalizers },
    spec: { domain: of, exchangerRefs: [{ name: 'mx' }] },
  });
const remove = () => scene.kube.remove({ apiVersion, kind: 'MailDomain', namespace: 'mail', name: 'former' });

test.each<readonly [string, () => Promise<unknown>, boolean]>([
  ['is not there: free', async () => undefined, true],
  ['is there for the same domain: kept', () => create('A.example.com'), false],
  ['is there for another domain: free', () => create('b.example.com'), true],
  ['is on its way out: kept', () => create(domain, [finalizer]).then(remove), false],
  ['was let go, and lingers for someone else: free', () => create(domain, ['example.com/x']).then(remove), true],
])('what is claimed for an object that %s', async (_, prepare, free) => {
  await prepare();
  const held = holdClaim(world, 'domain', domain, another);
  if (free) await expect(held).resolves.toBeUndefined();
  else await expect(held).rejects.toMatchObject({ reason: 'Conflict' });
});

test('the host where a policy is served belongs to the retirement of its domain, whoever asks for it as an MX host', async () => {
  await create(domain);
  const asking: Claimant = { kind: 'MailExchanger', namespace: 'mail', name: 'mx' };
  await expect(holdClaim(world, 'host', `mta-sts.${domain}`, asking)).rejects.toMatchObject({ reason: 'Conflict' });
});

test('an object that was let go and lingers for someone else brings back no retirement that was given up', async () => {
  await create(domain, ['example.com/x']);
  await remove();
  const object = scene.kube.dump().find(({ kind }) => kind === 'MailDomain') as MailDomain;
  await endObject(world, object, { claims: [['domain', domain]], kind: 'domain', identity: domain });
  expect(scene.kube.dump().filter(({ kind }) => kind === 'Retirement')).toEqual([]);
});
