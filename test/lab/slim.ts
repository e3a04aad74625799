/**
 * What the bundle leaves out: parts of libraries that our code never reaches, but that their modules load at once.
 * Whatever is reached after all throws with its name.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

interface Cut {
  /** The module that asks for it, by the end of its path. */
  readonly importer: RegExp;
  /** As that module calls it. */
  readonly path: string;
  /** JavaScript in its place. */
  readonly instead: string;
}

const clientNode = /client-node[\\/]dist[\\/]config\.js$/;
const acmeClient = /acme-client[\\/]src[\\/]\w+\.js$/;
const ownHttp = /src[\\/]apply[\\/](acme-library|providers[\\/]undici)\.ts$/;

const refusal = (what: string): string => `() => { throw new Error('${what} is left out of this bundle'); }`;
const namedRefusals = (...names: readonly string[]): string =>
  names.map((name) => `export function ${name}() { (${refusal(name)})(); }`).join('\n');
const refusals = (what: string, ...names: readonly string[]): string =>
  `module.exports = Object.assign(${refusal(what)}, { ${names.map((name) => `${name}: ${refusal(`${what}.${name}`)}`).join(', ')} });`;

/** undici without fetch, web sockets, caches and mocks: its pool and its `request`, called as `undici.request` does. */
function undiciRequest(): string {
  const lib = join(dirname(fileURLToPath(import.meta.resolve('undici'))), 'lib');
  const part = (...path: readonly string[]): string => JSON.stringify(join(lib, ...path));
  return `
    import Agent from ${part('dispatcher', 'agent.js')};
    import send from ${part('api', 'api-request.js')};
    export { Agent };
    export function request(url, { dispatcher, ...rest }) {
      const { origin, pathname, search } = new URL(url);
      return send.call(dispatcher, { ...rest, origin, path: pathname + search });
    }`;
}

const cuts: readonly Cut[] = [
  // Only needed to make clients that we don't use: the generated models and a second HTTP stack.
  { importer: clientNode, path: 'undici', instead: namedRefusals('Agent', 'ProxyAgent') },
  {
    importer: clientNode,
    path: './gen/index.js',
    instead: namedRefusals('createConfiguration', 'ServerConfiguration'),
  },
  // All traffic passes through a `request` of ours, and challenges are looked at by our own resolver.
  { importer: acmeClient, path: './axios', instead: refusals('axios', 'request') },
  { importer: acmeClient, path: './verify', instead: refusals('verify') },
  { importer: acmeClient, path: './auto', instead: refusals('auto') },
  { importer: acmeClient, path: './crypto/forge', instead: 'module.exports = {};' },
  { importer: acmeClient, path: 'debug', instead: 'module.exports = () => () => undefined;' },
  { importer: ownHttp, path: 'undici', instead: undiciRequest() },
];

export const slim: Plugin = {
  name: 'slim',
  setup: (build) => {
    build.onResolve({ filter: /^(undici|debug|\.\/(gen\/index\.js|axios|verify|auto|crypto\/forge))$/ }, (asked) => {
      const index = cuts.findIndex(({ importer, path }) => path === asked.path && importer.test(asked.importer));
      return index < 0 ? undefined : { path: `${asked.path} ${index}`, namespace: 'slim', pluginData: index };
    });
    build.onLoad({ filter: /./, namespace: 'slim' }, ({ pluginData }) => {
      const contents = cuts[pluginData as number]?.instead;
      return contents === undefined ? undefined : { contents, resolveDir: import.meta.dirname };
    });
  },
};
