/** A list and a watch of each kind, straight at the API server: what is shown is what was stored, in its order. */
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import type { Thing } from './sightings.ts';

export interface Api {
  /** `https://address:port`. */
  readonly url: string;
  readonly token: string;
  /** PEM. */
  readonly ca: string;
}

export interface KubeWatch {
  /** Resolves when all kinds were listed once. */
  readonly listed: Promise<void>;
  readonly stop: () => void;
}

type Seen = (change: 'Stands' | 'Changed' | 'Gone', thing: Thing) => void;

const own = '/apis/mailseal.dev/v1alpha1';
const paths: readonly (readonly [kind: string, apiVersion: string, path: string])[] = [
  ['MailDomain', 'mailseal.dev/v1alpha1', `${own}/maildomains`],
  ['MailExchanger', 'mailseal.dev/v1alpha1', `${own}/mailexchangers`],
  ['Retirement', 'mailseal.dev/v1alpha1', `${own}/retirements`],
  ['DNSProvider', 'mailseal.dev/v1alpha1', `${own}/dnsproviders`],
  ['CertificateIssuer', 'mailseal.dev/v1alpha1', `${own}/certificateissuers`],
  ['Secret', 'v1', '/api/v1/secrets'],
  ['ConfigMap', 'v1', '/api/v1/configmaps'],
  ['Lease', 'coordination.k8s.io/v1', '/apis/coordination.k8s.io/v1/leases'],
];

interface List {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly Omit<Thing, 'kind' | 'apiVersion'>[];
}
interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: Thing;
}

/** Between a connection that failed and the next. */
const againMs = 300;
const patienceMs = 20_000;

export function watchKube(api: Api, seen: Seen): KubeWatch {
  const agent = new https.Agent({ ca: api.ca, keepAlive: true });
  const abort = new AbortController();
  const follows = paths.map(([kind, apiVersion, path]) =>
    follow({ api, agent, kind, apiVersion, path }, seen, abort.signal),
  );
  return {
    listed: Promise.all(follows).then(() => undefined),
    stop: () => {
      abort.abort();
      agent.destroy();
    },
  };
}

interface Followed {
  readonly api: Api;
  readonly agent: https.Agent;
  readonly kind: string;
  readonly apiVersion: string;
  readonly path: string;
}

/** Whoever fails at what he is shown must not look like a connection that was cut: it ends the program. */
function tell(seen: Seen, ...sight: Parameters<Seen>): void {
  try {
    seen(...sight);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Resolves after the first list; goes on until the signal. */
async function follow(what: Followed, seen: Seen, signal: AbortSignal): Promise<void> {
  /** As it was shown last: of one that went while nobody watched, that is all there is to show. */
  const known = new Map<string, Thing>();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const began = Date.now();
  let first = true;
  const note = (change: 'Changed' | 'Gone', thing: Thing): void => {
    const { namespace, name, resourceVersion } = thing.metadata;
    const key = `${namespace}/${name}`;
    if (change === 'Changed' && known.get(key)?.metadata.resourceVersion === resourceVersion) return;
    if (change === 'Gone') known.delete(key);
    else known.set(key, thing);
    tell(seen, first ? 'Stands' : change, { ...thing, kind: what.kind, apiVersion: what.apiVersion });
  };
  const list = async (): Promise<string> => {
    const answer = await get(what, '', signal);
    const { metadata, items } = JSON.parse(await text(answer)) as List;
    const names = new Set(items.map(({ metadata: { namespace, name } }) => `${namespace}/${name}`));
    for (const [key, thing] of known) if (!names.has(key)) note('Gone', thing);
    for (const item of items) note('Changed', { ...item, kind: what.kind, apiVersion: what.apiVersion });
    return metadata.resourceVersion;
  };
  const loop = async (): Promise<void> => {
    let version = '';
    while (!signal.aborted) {
      try {
        if (version === '') version = await list();
        first = false;
        resolve();
        version = await watch(what, { version, signal, note });
      } catch (error) {
        // A kind that was made just now takes a moment.
        if (first && Date.now() - began > patienceMs) return reject(error);
        if (!signal.aborted) await new Promise((done) => setTimeout(done, againMs));
      }
    }
  };
  void loop();
  return promise;
}

interface Watched {
  readonly version: string;
  readonly signal: AbortSignal;
  readonly note: (change: 'Changed' | 'Gone', thing: Thing) => void;
}

/** The version to go on from when it has ended; empty where that is too old. */
async function watch(what: Followed, { version, signal, note }: Watched): Promise<string> {
  const answer = await get(what, `?watch=1&allowWatchBookmarks=true&resourceVersion=${version}`, signal);
  let [last, rest] = [version, ''];
  try {
    for await (const chunk of answer.setEncoding('utf8')) {
      const lines = `${rest}${chunk as string}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { type, object } = JSON.parse(line) as WatchEvent;
        if (type === 'ERROR') return '';
        last = object.metadata.resourceVersion ?? last;
        if (type !== 'BOOKMARK') note(type === 'DELETED' ? 'Gone' : 'Changed', object);
      }
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    // A connection that was cut, perhaps with the server: what is behind it next may be older, and is listed anew.
    return '';
  }
  return last;
}

function get({ api, agent, path }: Followed, query: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${api.token}`, accept: 'application/json' };
    const asked = https.get(`${api.url}${path}${query}`, { agent, headers, signal }, (answer) => {
      if (answer.statusCode === 200) return resolve(answer);
      answer.resume();
      // Gone: the list is asked for anew.
      reject(new Error(`${path}: ${answer.statusCode}`));
    });
    asked.once('error', reject);
  });
}
