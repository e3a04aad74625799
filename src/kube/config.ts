/**
 * Where the Kubernetes API is and how we prove who we are, from a kubeconfig or from inside a pod.
 *
 * client-node's KubeConfig does the reading (contexts, exec plug-ins, token files). Only its own module is loaded, and
 * only when it is needed: the library as a whole costs 80 MB resident.
 */
import { createHash } from 'node:crypto';
import type { Agent, RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { messageOf } from '../errors.ts';
import { KubeError } from './error.ts';
import { systemTimers, type Timers } from './timers.ts';

export type KubeSource =
  | { readonly from: 'cluster' }
  | { readonly from: 'file'; readonly file: string; readonly context?: string | undefined };

export interface TlsOptions {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsOptions;
  /** Equal for two credentials that may share connections. */
  readonly fingerprint: string;
  /** What the kubeconfig's `proxy-url` asks for. */
  readonly proxy?: Agent;
}

export interface KubeAccess {
  readonly server: URL;
  /** The context's or the pod's namespace. */
  readonly namespace: string | undefined;
  /** Remembered for some seconds; token and certificate files are read again after that. */
  readonly credentials: () => Promise<Credentials>;
  /** Forgets what `credentials` remembered, for use after a 401. */
  readonly forget: () => void;
}

const rememberMilliseconds = 20_000;

/** Rejects with KubeError `Invalid`, saying what is wrong with the file or that we run in no pod. */
export async function loadKubeConfig(source: KubeSource, timers: Timers = systemTimers): Promise<KubeAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
  const config = new KubeConfig();
  load(config, source);
  const cluster = config.getCurrentCluster();
  if (cluster === null || !URL.canParse(cluster.server)) {
    throw new KubeError(0, 'Invalid', `${nameOf(source)} leads to no Kubernetes API: check its current context`);
  }
  let remembered: { readonly credentials: Promise<Credentials>; readonly at: number } | undefined;
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace?.trim();
  return {
    server: new URL(cluster.server),
    namespace: namespace === '' ? undefined : namespace,
    credentials: () => {
      if (remembered !== undefined && timers.monotonic() - remembered.at < rememberMilliseconds) {
        return remembered.credentials;
      }
      const credentials = readCredentials(config, cluster.proxyUrl !== undefined);
      remembered = { credentials, at: timers.monotonic() };
      credentials.catch(() => {
        remembered = undefined;
      });
      return credentials;
    },
    forget: () => {
      remembered = undefined;
    },
  };
}

function nameOf(source: KubeSource): string {
  return source.from === 'cluster' ? 'the service account of this pod' : `the kubeconfig ${source.file}`;
}

function load(config: KubeConfig, source: KubeSource): void {
  try {
    switch (source.from) {
      case 'cluster':
        config.loadFromCluster();
        return;
      case 'file':
        config.loadFromFile(source.file);
        if (source.context === undefined) return;
        if (config.getContextObject(source.context) === null) {
          throw new KubeError(0, 'Invalid', `${nameOf(source)} has no context ${source.context}`);
        }
        config.setCurrentContext(source.context);
        return;
    }
  } catch (error) {
    if (error instanceof KubeError) throw error;
    throw new KubeError(0, 'Invalid', `${nameOf(source)} can't be read: ${messageOf(error)}`, { cause: error });
  }
}

async function readCredentials(config: KubeConfig, proxied: boolean): Promise<Credentials> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw new KubeError(0, 'Unauthorized', `no credentials for the Kubernetes API: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = String(value).trim();
  if (typeof options.auth === 'string') {
    headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  const tls = tlsOf(options);
  const hash = createHash('sha256');
  for (const part of [tls.ca, tls.cert, tls.key, tls.servername, String(tls.rejectUnauthorized)]) {
    hash.update(part ?? '').update('\0');
  }
  return { headers, tls, fingerprint: hash.digest('hex'), ...(proxied ? { proxy: options.agent as Agent } : {}) };
}

function tlsOf(options: RequestOptions): TlsOptions {
  const material = (value: unknown): string | Buffer | undefined =>
    typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined;
  const ca = material(options.ca);
  const cert = material(options.cert);
  const key = material(options.key);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(options.servername === undefined ? {} : { servername: options.servername }),
    ...(options.rejectUnauthorized === undefined ? {} : { rejectUnauthorized: options.rejectUnauthorized }),
  };
}
