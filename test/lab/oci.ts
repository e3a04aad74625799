/**
 * Container images without a container tool: a layer is a tar file, an image a few JSON files that name layers by
 * digest (OCI image format 1.1), and what `ctr images import` or `skopeo copy` take is a tar of those.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  symlinkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './command.ts';

export interface ImageSpec {
  /** Full name with a tag: `localhost/mailseal:lab`. */
  readonly ref: string;
  readonly layers: readonly Layer[];
  readonly entrypoint: readonly string[];
  /** `uid:gid`. */
  readonly user: string;
  readonly env: readonly string[];
}

export interface Layer {
  readonly tar: string;
  /** SHA-256 of the tar, in hex. */
  readonly digest: string;
}

/** Packs a folder, everything owned by root and dated 1970, so that the same content has the same digest. */
export async function packLayer(folder: string, tar: string): Promise<Layer> {
  const draft = `${tar}.${process.pid}`;
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
  await run(['tar', ...same, '-C', folder, '-cf', draft, '.']);
  renameSync(draft, tar);
  return openLayer(tar);
}

/** A layer that was packed before. */
export async function openLayer(tar: string): Promise<Layer> {
  return { tar, digest: await hashFiles([tar]) };
}

/** SHA-256, in hex, of the files' contents one after the other. */
export async function hashFiles(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

/** Writes the image as an OCI archive; replaces what was there. */
export async function writeArchive(spec: ImageSpec, archive: string): Promise<void> {
  mkdirSync(dirname(archive), { recursive: true });
  const draft = mkdtempSync(join(dirname(archive), '.oci-'));
  try {
    mkdirSync(join(draft, 'blobs', 'sha256'), { recursive: true });
    for (const layer of spec.layers) symlinkSync(layer.tar, join(draft, 'blobs', 'sha256', layer.digest));
    writeMetadata(spec, draft);
    const tar = `${archive}.${process.pid}`;
    await run(['tar', '--dereference', '-C', draft, '-cf', tar, 'oci-layout', 'index.json', 'blobs']);
    renameSync(tar, archive);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function writeMetadata(spec: ImageSpec, folder: string): void {
  const config = putBlob(folder, 'application/vnd.oci.image.config.v1+json', {
    architecture: architecture(),
    os: 'linux',
    config: { User: spec.user, Entrypoint: spec.entrypoint, Env: spec.env, WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: spec.layers.map((layer) => `sha256:${layer.digest}`) },
  });
  const manifest = putBlob(folder, 'application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: spec.layers.map((layer) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: `sha256:${layer.digest}`,
      size: statSync(layer.tar).size,
    })),
  });
  const names = { 'io.containerd.image.name': spec.ref, 'org.opencontainers.image.ref.name': spec.ref };
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(
    join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations: names }] }),
  );
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

function putBlob(folder: string, mediaType: string, content: object): Descriptor {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(folder, 'blobs', 'sha256', digest), bytes);
  return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
}

/** This machine's processor as images name it. */
function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
