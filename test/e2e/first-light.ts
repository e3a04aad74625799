import { availableParallelism, loadavg } from 'node:os';
import type { MailDomain } from '../../src/api/types.ts';
import { beforeAll, describe, expect, test } from 'vitest';
import { sendMail } from '../lab/demo/proof.ts';
import { kubectlApply } from '../lab/kubectl.ts';
import { operatorUser } from '../lab/demo/install.ts';
import { startCounting } from '../lab/counts.ts';
import { askOutside, conditionIn, dig, get, isReady, policyOf, quiet, says, until } from './look.ts';
import { mailDomain, onShared, withOwnHost } from './objects.ts';
import { grants, type World } from './world.ts';

/**
 * Updates are gathered for a fraction of a second: four at most for a zone, and one more on a machine that is so busy
 * that what belongs together comes later than that.
 */
const mostUpdates = (): number => ((loadavg()[0] ?? 0) > 2 * availableParallelism() ? 5 : 4);

/** From nothing to verified mail, and what that cost. */
export function firstLight(given: () => World): void {
  let world: World;
  beforeAll(() => {
    world = given();
  });

  test('without any DNSProvider the domain says NoProvider and what to create', async () => {
    await world.apply(mailDomain('early', { domain: 'early.example.test', mx: { hosts: ['mx1.example.test'] } }));
    const issuer = world.quickstart.split(/^---$/m).find((text) => text.includes('kind: CertificateIssuer'));
    await kubectlApply(world.cluster[0], issuer ?? '');
    const object = await until(world, 'maildomain', 'early', says('Stalled', 'NoProvider'));
    expect(conditionIn(object, 'Ready')?.message).toMatch(/create one whose zones hold early\.example\.test/);
    await world.kubectl('-n', 'mail', 'delete', 'md', 'early', '--timeout=60s');
  });

  describe('the quick start', () => {
    beforeAll(async () => {
      await kubectlApply(world.cluster[0], world.quickstart);
      await world.kubectl('-n', 'mail', 'wait', 'md/example', '--for=condition=Ready', '--timeout=60s');
    });

    test.each(['maildomain', 'mailexchanger'] as const)('leaves the %s clean in the eyes of kstatus', async (kind) => {
      const { status, metadata } = await get(world, kind, 'example');
      expect(status?.observedGeneration).toBe(metadata.generation);
      const types = status?.conditions?.map(({ type }) => type) ?? [];
      expect(types).not.toContain('Reconciling');
      expect(types).not.toContain('Stalled');
      for (const { observedGeneration } of status?.conditions ?? [])
        expect(observedGeneration).toBe(metadata.generation);
    });

    test('shows in a table what matters', async () => {
      const lines = (await world.kubectl('-n', 'mail', 'get', 'md,mex')).split('\n');
      expect(lines[0]?.split(/\s+/).slice(0, 5)).toEqual(['NAME', 'DOMAIN', 'MODE', 'READY', 'REASON']);
      expect(lines[1]?.split(/\s+/).slice(1, 5)).toEqual(['example.test', 'enforce', 'True', 'Ready']);
      expect(lines.find((line) => line.includes('mailexchanger'))).toContain('mx1.example.test');
    });

    test.each([
      ['_mta-sts.example.test', 'TXT'],
      ['_smtp._tls.example.test', 'TXT'],
      ['mta-sts.example.test', 'A'],
      ['_25._tcp.mx1.example.test', 'TLSA'],
      ['_25._tcp.mx2.example.test', 'TLSA'],
    ] as const)('publishes %s %s, and the outside resolver vouches for it', async (name, type) => {
      const { values, authentic } = await askOutside(name, type);
      expect(values).not.toEqual([]);
      expect(values).toEqual(await dig(name, type));
      expect(authentic).toBe(true);
    });

    test('serves the policy over HTTPS, with CRLF and the two hosts', async () => {
      expect(await policyOf(world, 'example.test')).toBe(
        'version: STSv1\r\nmode: enforce\r\nmx: mx1.example.test\r\nmx: mx2.example.test\r\nmax_age: 2419200\r\n',
      );
    });

    test.each(['dane', 'mtaSts'] as const)('a sender by %s delivers over a verified channel', async (how) => {
      expect(await sendMail(world.lab.mail[how], how)).toMatchObject({ verified: true, status: 'sent' });
    });
  });

  describe('what a further domain costs', () => {
    const costOf = async (name: string, object: object) => {
      await quiet(world);
      const counted = startCounting({
        ...world.lab,
        auditLog: world.lab.controlPlane.auditLogPath,
        user: operatorUser,
        zones: [`${name}.test`],
      });
      await world.apply(object);
      await until(world, 'maildomain', name, isReady);
      await quiet(world);
      return counted();
    };

    beforeAll(async () => {
      await world.apply(...grants(world));
    });

    test('with an MX host of its own: 26 writes, 4 of them Events, 16 ACME requests, 4 DNS updates at most', async () => {
      const { kubernetes, acme, dns } = await costOf('second', withOwnHost('second'));
      expect(kubernetes.writes).toBeLessThanOrEqual(26);
      expect(kubernetes.events).toBeLessThanOrEqual(4);
      // Two certificates of one name.
      expect(acme.requests).toBeLessThanOrEqual(16);
      expect(dns['second.test']).toBeLessThanOrEqual(mostUpdates());
    });

    test('on shared MX hosts: 16 writes, 8 ACME requests, 4 DNS updates at most', async () => {
      const { kubernetes, acme, dns } = await costOf('shared', onShared('shared', 'example'));
      expect(kubernetes.writes).toBeLessThanOrEqual(16);
      expect(acme.requests).toBeLessThanOrEqual(8);
      expect(dns['shared.test']).toBeLessThanOrEqual(mostUpdates());
    });
  });

  test('the plain quick start begins in testing and says when it will enforce', async () => {
    await world.apply(
      mailDomain('plain', { exchangerRefs: [{ name: 'example' }, { name: 'second' }], mtaSts: { ttlSeconds: 5 } }),
    );
    const announced = ({ status }: MailDomain): boolean =>
      status?.next?.some(({ what, after }) => what.includes('testing to enforce') && after !== undefined) ?? false;
    const object = await until(world, 'maildomain', 'plain', (one) => isReady(one) && announced(one));
    expect(await policyOf(world, 'plain.test')).toContain('mode: testing\r\n');
    const after = object.status?.next?.find(({ what }) => what.includes('testing to enforce'))?.after ?? '';
    const days = (Date.parse(after) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(13.9);
    expect(days).toBeLessThan(14.1);
  });
}
