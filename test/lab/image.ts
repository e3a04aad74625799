/**
 * The images of the lab: Mailseal's own (Node, the shared libraries it needs, CA certificates, the bundle; nothing
 * else, not even a shell) and the pause image that every pod starts with.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundle } from './bundle.ts';
import { run } from './command.ts';
import { hashFiles, type Layer, openLayer, packLayer, writeArchive } from './oci.ts';
import { cacheRoot } from './tools.ts';

export interface Image {
  readonly ref: string;
  /** Absolute path of an OCI archive. */
  readonly archive: string;
}

export interface ImageOptions {
  /** Full name with a tag. */
  readonly name: string;
  /** Another program than `src/main.ts`, for tests of the lab itself. */
  readonly entry?: string;
  /** Folder for the bundle and the archive. */
  readonly dir: string;
}

/** Flags that keep an idle Node small: code is compiled for size. --lite-mode would save 10 MB more, but only interprets. */
export const leanFlags: readonly string[] = ['--optimize-for-size'];
/**
 * Short-lived objects get little room, which a container that makes many of them may set otherwise; one arena for malloc
 * instead of one a thread saves another 2 MB.
 */
export const leanEnv: Readonly<Record<string, string>> = {
  NODE_ENV: 'production',
  MALLOC_ARENA_MAX: '1',
  NODE_OPTIONS: '--max-semi-space-size=1',
};
const certificates = '/etc/ssl/certs/ca-certificates.crt';
const nobody = '65532:65532';

/** Builds the image of Mailseal. What rarely changes is a layer that is packed once and kept in the cache. */
export async function buildImage(options: ImageOptions): Promise<Image> {
  const root = join(options.dir, 'image-root');
  await bundle(join(root, 'app'), options.entry);
  const app = await packLayer(root, join(options.dir, 'app.tar'));
  const archive = join(options.dir, 'image.oci.tar');
  await writeArchive(
    {
      ref: options.name,
      layers: [await nodeLayer(), app],
      entrypoint: ['/node', ...leanFlags, '/app/main.js'],
      user: nobody,
      env: Object.entries({ ...leanEnv, SSL_CERT_FILE: certificates }).map(([name, value]) => `${name}=${value}`),
    },
    archive,
  );
  return { ref: options.name, archive };
}

async function nodeLayer(): Promise<Layer> {
  const node = realpathSync(join(import.meta.dirname, '../../node_modules/.bin/node'));
  const libraries = sharedLibraries(await run(['ldd', node]));
  const files = [...libraries, ...(existsSync(certificates) ? [certificates] : [])];
  const key = await hashFiles([node, ...files]);
  const tar = join(cacheRoot(), `node-layer-${key.slice(0, 12)}.tar`);
  if (existsSync(tar)) return openLayer(tar);
  mkdirSync(cacheRoot(), { recursive: true });
  const root = mkdtempSync(join(cacheRoot(), '.node-layer-'));
  try {
    copyInto(root, node, '/node');
    for (const file of files) copyInto(root, file, file);
    writeFileSync(join(root, 'etc', 'passwd'), 'mailseal:x:65532:65532::/:/nonexistent\n');
    return await packLayer(root, tar);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The paths in what `ldd` prints; the dynamic linker is one of them. */
function sharedLibraries(ldd: string): string[] {
  return ldd.split('\n').flatMap((line) => /(?:=> |^\s*)(\/\S+) \(/.exec(line)?.[1] ?? []);
}

function copyInto(root: string, from: string, to: string): void {
  const target = join(root, to);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(realpathSync(from), target);
}

/** Writes an image that holds one static program and nothing else. */
export async function buildStaticImage(name: string, program: string, dir: string): Promise<Image> {
  const root = join(dir, 'root');
  mkdirSync(root, { recursive: true });
  copyFileSync(program, join(root, 'program'));
  const layer = await packLayer(root, join(dir, 'layer.tar'));
  const archive = join(dir, 'image.oci.tar');
  await writeArchive({ ref: name, layers: [layer], entrypoint: ['/program'], user: nobody, env: [] }, archive);
  return { ref: name, archive };
}
