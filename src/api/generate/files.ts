import { kinds } from '../kinds.ts';
import { crdOf } from './crd.ts';
import { kindPage, reasonsPage } from './docs.ts';
import { chartTemplateOf, yamlOf } from './yaml.ts';

/** Every generated file: its path from the top of the repository, and its text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>([['docs/reasons.md', reasonsPage()]]);
  for (const kind of Object.values(kinds)) {
    const crd = yamlOf(crdOf(kind));
    files.set(`crds/${kind.plural}.yaml`, crd);
    files.set(`charts/mailseal/templates/crds/${kind.plural}.yaml`, chartTemplateOf(crd));
    files.set(`docs/${kind.singular}.md`, kindPage(kind));
  }
  return files;
}

/** Folders in which every file is generated: one that is no longer made must go. */
export const generatedFolders: readonly string[] = ['crds', 'charts/mailseal/templates/crds'];
