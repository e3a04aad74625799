import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load, loadAll } from 'js-yaml';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'docs/agent.md', 'docs/dns.md', 'docs/install.md'];

test("the README's manifest is the MailDomain of examples/quickstart.yaml", () => {
  const shown = /```yaml\n([^]*?)```/.exec(text('README.md'))?.[1] ?? '';
  expect(load(shown)).toEqual(loadAll(text('examples/quickstart.yaml'))[0]);
});

test.each(pages)('every npm script that %s names exists', (page) => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
  const named = [...text(page).matchAll(/npm run (?:-s )?([a-z-]+)/g)].map((found) => found[1] ?? '');
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

test.each(pages)('every file that %s links to exists', (page) => {
  const links = [...text(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map((found) => found[1] ?? '');
  expect(links.filter((link) => !existsSync(join(root, page, '..', link)))).toEqual([]);
});
