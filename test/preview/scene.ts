/** Plans on the fakes: what a look would do, by a world that nobody can change. */
import { expect } from 'vitest';
import type { MailExchanger } from '../../src/api/types.ts';
import { previewAll, type PreviewWorld, type Selection } from '../../src/preview/objects.ts';
import type { ObjectPreview } from '../../src/preview/preview.ts';
import { exitCodeOf, type PlanReport, textOf } from '../../src/preview/report.ts';
import { harmless } from '../../src/preview/world.ts';
import type { World } from '../../src/world.ts';
import type { Scene } from '../reconcile/scene.ts';

/** The world of a scene, as a plan has it: an exchanger may be put over those of the cluster. */
export function previewWorld(world: World): PreviewWorld {
  const over = new Map<string, MailExchanger>();
  const cache: PreviewWorld['cache'] = {
    ...world.cache,
    exchanger: (namespace, name) => over.get(`${namespace}/${name}`) ?? world.cache.exchanger(namespace, name),
    put: (exchanger) => void over.set(`${exchanger.metadata.namespace ?? ''}/${exchanger.metadata.name}`, exchanger),
  };
  return { ...harmless({ ...world, cache }, { probe: true }).world, cache };
}

/** Plans everything that the scene has, unless told, and makes sure that nothing was written meanwhile. */
export async function planned(
  scene: Pick<Scene, 'kube' | 'provider' | 'start'>,
  selection: Partial<Selection> = {},
): Promise<readonly ObjectPreview[]> {
  const world = scene.start();
  const { cache } = world;
  const written = () => ({ kube: scene.kube.writes().length, dns: scene.provider.applied.length });
  const before = written();
  const all = { providers: [], issuers: [], exchangers: cache.exchangers(), domains: cache.domains(), ...selection };
  const previews = await previewAll(previewWorld(world), all);
  expect(written()).toEqual(before);
  return previews;
}

export const reportOf = (objects: readonly ObjectPreview[]): PlanReport => ({ notices: [], problems: [], objects });

/** The text and the exit code of a plan. */
export const said = (objects: readonly ObjectPreview[]): { readonly text: string; readonly code: number } => ({
  text: textOf(reportOf(objects)),
  code: exitCodeOf(reportOf(objects)),
});

/** `+ _mailseal.mx1.example.com TXT`. */
export const recordsOf = (steps: ObjectPreview['changes'] | ObjectPreview['later']): readonly string[] =>
  steps.flatMap(({ action, record }) => (record === undefined ? [] : [`${action} ${record.name} ${record.type}`]));
