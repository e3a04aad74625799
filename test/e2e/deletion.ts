import { beforeAll, describe, expect, test } from 'vitest';
import type { Retirement } from '../../src/api/types.ts';
import { operatorNamespace, release } from '../lab/demo/install.ts';
import { helm } from '../lab/kubectl.ts';
import { waitFor } from '../lab/process.ts';
import { dig, policyOf } from './look.ts';
import type { World } from './world.ts';

const byMtaSts = ['mtaSts', { status: 'sent' }] as const;
/** The hosts are another object's: their TLSA records stay. */
const byDane = ['dane', { status: 'sent', verified: true }] as const;
const tlsaName = '_25._tcp.mx1.example.test';

async function retirements(world: World): Promise<readonly Retirement[]> {
  const text = await world.kubectl('-n', operatorNamespace, 'get', 'retirements', '-o', 'json');
  return (JSON.parse(text) as { items: readonly Retirement[] }).items;
}

/** That of the domain, once `none` is served everywhere and held to the last promise. */
const held = (world: World, domain: string): Promise<Retirement> =>
  waitFor(
    `the withdrawal of the policy of ${domain}`,
    async () => {
      const all = await retirements(world);
      const one = all.find(({ spec }) => spec.domain === domain);
      return one?.status?.conditions?.some(({ reason }) => reason === 'PromiseHeld') === true ? one : undefined;
    },
    { timeoutMs: 60_000, everyMs: 300 },
  );

/** Objects go at once; what they published is withdrawn in the order that loses no mail. */
export function deletion(given: () => World): void {
  let world: World;
  beforeAll(() => {
    world = given();
  });

  describe.each([
    ['a domain on shared MX hosts', 'shared', 'shared.test', [byMtaSts, byDane]],
    ['a domain with MX hosts of its own', 'example', 'example.test', [byMtaSts]],
  ] as const)('%s', (_, name, domain, senders) => {
    test('ends within a minute, and its policy turns to none under a new id', async () => {
      const record = await dig(`_mta-sts.${domain}`, 'TXT');
      await world.kubectl('-n', 'mail', 'delete', 'md', name, '--timeout=60s');
      await world.kubectl('-n', 'mail', 'wait', `mex/${name}`, '--for=delete', '--timeout=60s');
      const { status } = await held(world, domain);
      // The policy promised four weeks.
      expect(Date.parse(status?.due ?? '') - Date.now()).toBeGreaterThan(27 * 86_400_000);
      expect(await policyOf(world, domain)).toContain('mode: none');
      const [next, ...others] = await dig(`_mta-sts.${domain}`, 'TXT');
      expect([next, others]).toEqual([expect.stringContaining('v=STSv1'), []]);
      expect(next).not.toBe(record[0]);
    });

    test.each(senders)('a sender by %s still delivers', async (how, outcome) => {
      const message = { from: 'alice@sender.test', to: `bob@${domain}`, subject: 'after the end' };
      expect(await world.lab.mail[how].send(message)).toMatchObject(outcome);
    });
  });

  test('the TLSA records of deleted hosts go, and the Secret that the hosts mount stays', async () => {
    const none = async (): Promise<boolean> => (await dig(tlsaName, 'TLSA')).length === 0;
    await waitFor('no TLSA records', none, { timeoutMs: 60_000, everyMs: 300 });
    expect(await world.kubectl('-n', 'mail', 'get', 'secret', 'example-tls', '-o', 'name')).toContain('example-tls');
    const marks = await dig('_mailseal.mx1.example.test', 'TXT');
    expect(marks).toHaveLength(1);
  });

  test('Helm uninstalls nothing while something is left, and the log of its Job says what', async () => {
    const [kubeconfig] = world.cluster;
    const spec = { domain: 'left.test', exchangerRefs: [{ name: 'none' }], suspend: true };
    const metadata = { name: 'left', namespace: 'mail' };
    await world.apply({ apiVersion: 'mailseal.dev/v1alpha1', kind: 'MailDomain', metadata, spec });
    await expect(helm(kubeconfig, 'uninstall', release, '-n', operatorNamespace)).rejects.toThrow(/failed/iu);
    const said = await world.kubectl('-n', operatorNamespace, 'logs', 'job/mailseal-uninstall-check');
    expect(said).toContain('MailDomain mail/left (left.test)');
    const pods = await world.kubectl('-n', operatorNamespace, 'get', 'deployment', '-o', 'name');
    expect(pods).toContain('mailseal-policy');
    await world.kubectl('-n', 'mail', 'delete', 'md', 'left', '--timeout=60s');
  });
}
