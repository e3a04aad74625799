/**
 * The Go that builds the lab's programs: the machine's own if it is new enough, else one fetched from the same module
 * proxy as the programs' sources, checked against a digest written down here.
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../command.ts';
import { cacheRoot } from '../tools.ts';
import { withLock } from './lock.ts';
import { SetupError, step } from './steps.ts';
import { unzip } from './unzip.ts';

const version = '1.26.8';
const digests: Readonly<Record<string, string>> = {
  'linux-amd64': '30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7',
  'linux-arm64': '02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99',
};

/** Path of a Go command that is new enough to fetch the exact toolchain that a module asks for. */
export async function goCommand(): Promise<string> {
  const own = await run(['go', 'env', 'GOVERSION']).catch(() => '');
  const minor = Number(/^go1\.(\d+)/.exec(own)?.[1] ?? 0);
  if (minor >= 21) return 'go';
  return fetchGo(own === '' ? 'Go is not installed' : `Go is too old (${own.trim()})`);
}

async function fetchGo(why: string): Promise<string> {
  const platform = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const digest = digests[platform];
  if (digest === undefined) {
    throw new SetupError(why, 'install Go 1.21 or newer (https://go.dev/dl) and run this again.');
  }
  const folder = join(cacheRoot(), `go-${version}-${platform}`);
  const command = join(folder, 'bin', 'go');
  await withLock(join(cacheRoot(), 'go.lock'), 'Go', async () => {
    if (existsSync(command)) return;
    await step(`Go ${version}: fetching it, because ${why}`, () => unpackGo(folder, platform, digest));
  });
  return command;
}

async function unpackGo(folder: string, platform: string, digest: string): Promise<void> {
  const name = `v0.0.1-go${version}.${platform}`;
  const zip = await download(`${proxy()}/golang.org/toolchain/@v/${name}.zip`);
  const found = createHash('sha256').update(zip).digest('hex');
  if (found !== digest) throw new SetupError('the Go toolchain that was fetched is not the expected one', found);
  mkdirSync(cacheRoot(), { recursive: true });
  const draft = mkdtempSync(join(cacheRoot(), '.go-'));
  try {
    const prefix = `golang.org/toolchain@${name}/`;
    // Modules can't hold modules: the proxy carries go.mod under another name, and no permissions.
    unzip(zip, draft, (path) => path.slice(prefix.length).replace(/(^|\/)_go\.mod$/, '$1go.mod'));
    for (const path of globSync(['bin/*', 'pkg/tool/*/*'], { cwd: draft })) chmodSync(join(draft, path), 0o755);
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function proxy(): string {
  const given = (process.env['GOPROXY'] ?? '').split(/[,|]/).find((entry) => entry.startsWith('http'));
  return (given ?? 'https://proxy.golang.org').replace(/\/$/, '');
}

async function download(url: string): Promise<Buffer> {
  const advice = 'install Go 1.21 or newer (https://go.dev/dl), or set GOPROXY to a module proxy within reach.';
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return Buffer.from(await answer.arrayBuffer());
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new SetupError(`${url} can't be fetched: ${cause instanceof Error ? cause.message : String(cause)}`, advice);
  }
}
