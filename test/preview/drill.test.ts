import { describe, expect, test } from 'vitest';
import type { MailExchanger } from '../../src/api/types.ts';
import { type DrillKind, drillExchanger, type DrillReport } from '../../src/preview/drill.ts';
import { drillExitCode, drillJson, drillText } from '../../src/preview/drill-report.ts';
import {
  conditionIn,
  day,
  hour,
  isReady,
  keyGiven,
  keysOf,
  sendersOf,
  settle,
  tlsaOf,
} from '../reconcile/rotation-scene.ts';
import { createScene, runUntil, type Scene } from '../reconcile/scene.ts';
import { settled as sourceSettled } from '../reconcile/source-scene.ts';
import { previewWorld } from './scene.ts';

const rotateNow = 'mailseal.dev/rotate-now';

/** A drill of the scene's exchanger, by which nothing is written. */
async function drilled(scene: Scene, kind: DrillKind = 'rotate'): Promise<DrillReport> {
  const written = () => [scene.kube.writes().length, scene.provider.applied.length];
  const before = written();
  const report = await drillExchanger(previewWorld(scene.start()), scene.exchanger() as MailExchanger, kind);
  expect(written()).toEqual(before);
  return report;
}

async function settled(spec: Partial<MailExchanger['spec']> = {}, forMs = day): Promise<Scene> {
  const scene = await createScene(spec);
  await settle(scene, sendersOf(scene, spec.hosts), forMs);
  return scene;
}

/** Each state of the world once, keys by their places: 0 the current one, 1 the next, 2 the one after. */
function courseOf(keys: readonly string[]): {
  readonly note: (phase: string, tlsa: readonly string[], secret: string) => void;
  readonly seen: string[];
} {
  const known = [...keys];
  const place = (key: string): number => {
    if (!known.includes(key)) known.push(key);
    return known.indexOf(key);
  };
  const seen: string[] = [];
  return {
    seen,
    note: (phase, tlsa, secret) => {
      const values = tlsa.map((value) => place(value.replace('3 1 1 ', ''))).sort((a, b) => a - b);
      const text = `${phase} TLSA ${values.join(' ')} Secret ${place(secret)}`;
      if (seen.at(-1) !== text) seen.push(text);
    },
  };
}

describe('a drill', () => {
  test.each(['rotate', 'compromise'] as const)(
    'of %s foretells what the operator then does, and when',
    async (kind) => {
      const scene = await settled();
      const report = await drilled(scene, kind);
      expect(report.blocked).toEqual([]);
      const foretold = courseOf(keysOf(scene));
      for (const { phase, tlsa, secret = '' } of report.rows) foretold.note(phase, tlsa, secret);

      const real = courseOf(keysOf(scene));
      const began = scene.now();
      await scene.annotate({ [rotateNow]: report.wish });
      const note = (): void => {
        const phase = scene.state()?.rollover.phase ?? '';
        real.note(phase, tlsaOf(scene), keyGiven(scene) ?? '');
      };
      await runUntil(
        scene,
        () => real.seen.length > 1 && scene.state()?.rollover.phase === 'Steady' && isReady(scene)(),
        {
          looks: 2000,
          onLook: note,
        },
      );
      expect(real.seen.slice(real.seen[0]?.startsWith('Steady') ? 1 : 0)).toEqual(foretold.seen);
      const end = (report.rows.at(-1)?.at ?? 0) - report.now;
      expect(Math.abs(scene.now() - began - end)).toBeLessThan(hour / 4);
    },
  );

  test('reads as a table, in the same words each time', async () => {
    const scene = await settled();
    const report = await drilled(scene);
    const text = drillText(report, ['a note']);
    expect(text).toContain('note: a note\nMailExchanger mail/mx (mx1.example.com): if mailseal.dev/rotate-now were');
    expect(text).toMatch(/\+0 s +Swapping +A B +B +the hosts are moved to the next key\n +the Secret is given key B/u);
    expect(text).toContain('DANE senders: every answer matches, hosts present A or B');
    expect(text).toMatch(/waits: The old key's TLSA record goes after/u);
    expect(text).toMatch(/\+2 h +Steady +B C +B +the rotation is over/u);
    expect(text).toMatch(
      /Drill: the hosts get the next key after 0 s, all is done after 2 h\. Nothing was written\.\n$/u,
    );
    expect(drillExitCode(report)).toBe(0);
    expect(drillText(await drilled(scene), ['a note'])).toBe(text);
    for (const { pem } of scene.state()?.keys ?? []) expect(drillJson(report, [])).not.toContain(pem.slice(30, 60));
  });

  test('as JSON has letters for keys, times, and what each step waits for', async () => {
    const { steps, keys, blocked } = JSON.parse(drillJson(await drilled(await settled()), []));
    expect(keys).toMatchObject([{ letter: 'A' }, { letter: 'B' }, { letter: 'C' }]);
    expect(steps.at(-1)).toMatchObject({ afterSeconds: 7200, phase: 'Steady', tlsa: ['B', 'C'], secret: 'B' });
    expect(steps.at(-2).waits).toMatchObject([{ reason: 'Waiting' }]);
    expect(blocked).toEqual([]);
  });
});

describe('what stands in the way', () => {
  test('is named: a host that does not take its key', async () => {
    const hosts = ['mx1.example.com', 'mx2.example.com'];
    const scene = await settled({ hosts });
    scene.freeze('mx2.example.com');
    await scene.annotate({ [rotateNow]: new Date(scene.now()).toISOString() });
    await runUntil(scene, () => conditionIn(scene, 'Deployed')?.status === 'False', { looks: 2000 });
    const report = await drilled(scene);
    expect(report.blocked.join()).toContain('Still with another key: mx2.example.com [192.0.2.2]');
    expect(drillExitCode(report)).toBe(2);
    expect(drillText(report, [])).toContain('would not come to its end as things stand');
  });

  test('is named: a hold', async () => {
    const scene = await settled();
    await scene.annotate({ 'mailseal.dev/hold': 'rollover' });
    expect((await drilled(scene)).blocked.join()).toContain('The rollover is held');
  });

  test('is named: there is no key yet', async () => {
    expect((await drilled(await createScene())).blocked.join()).toContain('no key and certificate of ours yet');
  });

  test('is named: keys that others bring', async () => {
    const { scene } = await sourceSettled();
    const report = await drilled(scene);
    expect(report.blocked).toEqual([expect.stringContaining('its keys come in Secret mail/mx-source')]);
    expect(drillExitCode(report)).toBe(2);
  });
});
