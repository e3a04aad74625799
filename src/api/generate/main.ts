/** `npm run generate`: writes the CRDs, their copies in the chart and the pages of docs/ from src/api. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { generatedFiles, generatedFolders } from './files.ts';

const top = resolve(import.meta.dirname, '../../..');
const files = generatedFiles();
for (const [path, text] of files) {
  mkdirSync(dirname(join(top, path)), { recursive: true });
  writeFileSync(join(top, path), text);
}
for (const folder of generatedFolders) {
  const surplus = readdirSync(join(top, folder)).filter((name) => !files.has(`${folder}/${name}`));
  for (const name of surplus) rmSync(join(top, folder, name));
}
process.stdout.write(`${files.size} files written\n`);
