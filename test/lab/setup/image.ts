/** `npm run image -- REF FILE`: the image of Mailseal as an OCI archive, which any container tool can push. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '../image.ts';

const [name, target, ...more] = process.argv.slice(2);
if (name === undefined || target === undefined || more.length > 0 || !/:[^/]+$/.test(name)) {
  process.stderr.write('usage: npm run image -- REF FILE, such as registry.example.net/mailseal:0.1.0 mailseal.tar\n');
  process.exit(2);
}
const dir = mkdtempSync(join(tmpdir(), 'mailseal-image-'));
try {
  const { archive } = await buildImage({ name, dir });
  copyFileSync(archive, target);
  process.stdout.write(`${target}: ${name}, for ${process.platform}/${process.arch}\n`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
