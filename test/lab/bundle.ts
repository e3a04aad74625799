/**
 * The program as the image carries it: one ESM bundle with its lazily imported parts as chunks of their own.
 * `node test/lab/bundle.ts OUTDIR` writes it; image builds use the same command.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { slim } from './slim.ts';

/**
 * Writes `main.js` and its chunks into `outDir`, which is emptied first. Resolves with the bytes that each npm package
 * has in it; rejects with esbuild's errors. `plugins` come before those that every bundle has.
 */
export async function bundle(
  outDir: string,
  entry: string = join(import.meta.dirname, '../../src/main.ts'),
  /** False keeps the names, for profiles. */
  minify = true,
  plugins: readonly Plugin[] = [],
): Promise<Readonly<Record<string, number>>> {
  rmSync(outDir, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: { main: entry },
    outdir: outDir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify,
    plugins: [...plugins, slim],
    legalComments: 'linked',
    logLevel: 'silent',
    metafile: true,
    // CommonJS packages call `require` for Node's own modules; an ESM bundle has none unless it makes one.
    banner: { js: "import { createRequire as __r } from 'node:module'; const require = __r(import.meta.url);" },
  });
  const bytes: Record<string, number> = {};
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
      if (name !== undefined && bytesInOutput > 0) bytes[name] = (bytes[name] ?? 0) + bytesInOutput;
    }
  }
  return bytes;
}

if (import.meta.main) {
  const outDir = process.argv[2];
  if (outDir === undefined) throw new Error('usage: node test/lab/bundle.ts OUTDIR');
  await bundle(outDir);
}
