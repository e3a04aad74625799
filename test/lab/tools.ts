/**
 * The programs that the set-up builds, each in a folder of its own in a cache outside the tree. The folder's name
 * carries the version and a hash of the recipe, so that a changed recipe never meets an old binary.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export type ToolName = 'kubernetes' | 'pebble' | 'helm' | 'pause' | 'gitops' | 'moto' | 'mail-servers';

export interface Recipe {
  readonly name: ToolName;
  readonly version: string;
  /**
   * A module path that `go install` takes; or a folder beside this file, with a main package of ours, or with the
   * `requirements.txt` of a Python program, whose module is then run; or Debian packages that are unpacked only.
   */
  readonly source:
    | { readonly module: string }
    | { readonly folder: string; readonly files: readonly string[]; readonly ldflags: string }
    | { readonly folder: string; readonly files: readonly string[]; readonly python: string }
    | { readonly packages: readonly string[] };
  /** Further names of the same program, made as links beside it. */
  readonly links: readonly string[];
  /** What to expect of a cold build, for people who wait. */
  readonly cold: string;
}

const kubernetesVersion = '1.35.4';

export const recipes: readonly Recipe[] = [
  {
    name: 'pause',
    version: '1',
    source: { folder: 'pause', files: ['go.mod', 'main.go'], ldflags: '-s -w' },
    links: [],
    cold: 'seconds',
  },
  {
    name: 'pebble',
    version: '2.10.1',
    source: { module: 'github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1' },
    links: [],
    cold: 'half a minute',
  },
  {
    name: 'kubernetes',
    version: kubernetesVersion,
    source: {
      folder: 'kubernetes',
      files: ['go.mod', 'go.sum', 'main.go'],
      ldflags: [
        '-s -w',
        `-X k8s.io/component-base/version.gitVersion=v${kubernetesVersion}`,
        '-X k8s.io/component-base/version.gitMajor=1',
        '-X k8s.io/component-base/version.gitMinor=35',
      ].join(' '),
    },
    links: ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy', 'kubelet', 'kubectl'],
    cold: 'about six minutes on two cores',
  },
  {
    name: 'helm',
    version: '4.3.1',
    source: { module: 'helm.sh/helm/v4/cmd/helm@v4.3.1' },
    links: [],
    cold: 'about three minutes on two cores',
  },
  {
    name: 'gitops',
    version: '1',
    source: { folder: 'gitops', files: ['go.mod', 'go.sum', 'main.go'], ldflags: '-s -w' },
    links: [],
    cold: 'about half a minute on two cores',
  },
  {
    name: 'moto',
    version: '5.2.5',
    source: { folder: 'moto', files: ['requirements.txt'], python: 'moto.server' },
    links: [],
    cold: 'half a minute',
  },
  {
    // They can't be installed beside Postfix, or are not worth a change of this machine.
    name: 'mail-servers',
    version: '1',
    source: {
      packages: [
        'dovecot-core',
        'dovecot-imapd',
        'dovecot-submissiond',
        'exim4-base',
        'exim4-daemon-light',
        'sendmail-bin',
        'sendmail-cf',
        'm4',
      ],
    },
    links: ['dovecot', 'doveconf', 'doveadm', 'exim', 'sendmail', 'm4'],
    cold: 'seconds',
  },
];

/** The folder beside this file in which a recipe's own sources lie. */
export function sourceFolder(folder: string): string {
  return join(import.meta.dirname, folder);
}

/** Where everything lies that is built once and kept: `MAILSEAL_CACHE`, else `mailseal` in the user's cache folder. */
export function cacheRoot(): string {
  const own = process.env['MAILSEAL_CACHE'];
  if (own !== undefined && own !== '') return own;
  const xdg = process.env['XDG_CACHE_HOME'];
  return join(xdg === undefined || xdg === '' ? join(homedir(), '.cache') : xdg, 'mailseal');
}

export function toolFolder(recipe: Recipe): string {
  const hash = createHash('sha256').update(JSON.stringify([recipe.source, recipe.links]));
  if ('folder' in recipe.source) {
    const folder = sourceFolder(recipe.source.folder);
    for (const file of recipe.source.files) hash.update(readFileSync(join(folder, file)));
  }
  const key = hash.digest('hex').slice(0, 12);
  return join(cacheRoot(), `${recipe.name}-${recipe.version}-${key}-${process.platform}-${process.arch}`);
}

export type Program =
  | ToolName
  | 'etcd'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kube-proxy'
  | 'kubelet'
  | 'kubectl'
  | 'exim'
  | 'm4';

/** The absolute path of a program that the set-up built, or undefined when it hasn't been. */
export function builtTool(program: Program): string | undefined {
  const recipe = recipes.find((candidate) => candidate.name === program || candidate.links.includes(program));
  if (recipe === undefined) throw new Error(`no recipe builds ${program}`);
  const path = join(toolFolder(recipe), program);
  return existsSync(path) ? path : undefined;
}

/** The same; throws, saying how to get it, when it isn't there: the caller lets that end the run. */
export function toolPath(program: Program): string {
  const path = builtTool(program);
  if (path === undefined) throw new Error(`${program} has not been built: run \`sh test/lab/setup.sh test\``);
  return path;
}
