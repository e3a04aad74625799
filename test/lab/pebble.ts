/** Pebble: a real ACME server with renewal information (ARI), whose own TLS certificate comes from a CA of the lab. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createCa } from './mail-ca.ts';
import { type Running, startProcess, waitFor } from './process.ts';

export interface PebbleSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  /** Path of the program. */
  readonly binary: string;
  /** An address that an interface carries. */
  readonly address: string;
  /** `address` or `address:port` of the resolver that it validates with. */
  readonly dnsServer: string;
  /** 14000 when absent; the management interface takes the next one. */
  readonly port?: number;
  /** Names for its TLS certificate beside `address`. */
  readonly names?: readonly string[];
  /** Where it looks for HTTP-01 (80 when absent) and TLS-ALPN-01 (443 when absent) answers. */
  readonly httpPort?: number;
  readonly tlsPort?: number;
  /** How long its certificates live, by profile; `default` of 90 days and `shortlived` of 6 when absent. */
  readonly validitySeconds?: Readonly<Record<string, number>>;
  /** Per cent of good nonces that it refuses; 0 when absent. */
  readonly nonceRejectPercent?: number;
  /** Per cent of valid authorizations that it uses again; 0 when absent, so that every order is validated. */
  readonly authzReusePercent?: number;
  /** Further roots, each offered as an alternate chain; 0 when absent. */
  readonly alternateRoots?: number;
  /** Of its own keys; `ecdsa` when absent. */
  readonly keyAlgorithm?: 'ecdsa' | 'rsa';
  /** Intermediates between root and leaf; 1 when absent. */
  readonly intermediates?: number;
  /** It takes every answer for a proof and looks at none; false when absent. */
  readonly alwaysValid?: boolean;
  /** Key ids with their MAC keys (base64url); given, an account must be bound to one of them. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
  /** Issuer names that it accepts in CAA records. */
  readonly caaIdentities?: readonly string[];
}

export interface Pebble {
  readonly directoryUrl: string;
  /** PEM file of the CA that signed the ACME server's own certificate. */
  readonly caFile: string;
  readonly part: Running;
  /** The root of the certificates that it issues; another one after each start. */
  readonly rootPem: (chain?: number) => Promise<string>;
  readonly intermediatePem: (chain?: number) => Promise<string>;
  /** With it anybody is the CA, and can make the certificates of another day; it shows an RSA key only. */
  readonly intermediateKeyPem: (chain?: number) => Promise<string>;
  /** What became of a certificate, in Pebble's words. */
  readonly statusOf: (certificatePem: string) => Promise<{ readonly Status: string; readonly Reason?: number }>;
  /** What renewalInfo says of a certificate from now on. */
  readonly setRenewalInfo: (certificatePem: string, renewalInfo: unknown) => Promise<void>;
  /** Every request it answered, as `POST /order-plz`, in order, since it was ready; those to the management interface left out. */
  readonly requests: () => readonly string[];
  readonly stop: () => Promise<void>;
}

/** Resolves when the directory answers over a connection that the lab's CA vouches for. */
export async function startPebble(spec: PebbleSpec): Promise<Pebble> {
  const { dir, address, port = 14_000 } = spec;
  mkdirSync(dir, { recursive: true });
  const ca = await createCa(join(dir, 'ca'), 'Lab CA of the ACME server');
  const tls = await ca.issue({ path: join(dir, 'server'), names: spec.names ?? ['pebble.lab'], addresses: [address] });
  const config = join(dir, 'pebble.json');
  writeFileSync(config, JSON.stringify({ pebble: pebbleConfig(spec, port, tls.cert, tls.key) }, null, 2));
  const part = startProcess({
    name: 'pebble',
    argv: [spec.binary, '-config', config, '-dnsserver', withPort(spec.dnsServer)],
    log: join(dir, 'pebble.log'),
    env: environment(spec),
  });
  const directoryUrl = `https://${hostPort(address, port)}/dir`;
  const manage = (path: string, body?: string): Promise<string> =>
    fetchText(`https://${hostPort(address, port + 1)}${path}`, ca.pem, body);
  try {
    const ready = async (): Promise<boolean> =>
      (await fetchText(directoryUrl, ca.pem)).includes('renewalInfo') && (await manage('/roots/0')) !== '';
    await waitFor('pebble shows its directory', ready, { part });
  } catch (error) {
    await part.stop();
    throw error;
  }
  const before = loggedRequests(readFileSync(part.log, 'utf8')).length;
  return {
    directoryUrl,
    caFile: ca.caFile,
    part,
    rootPem: (chain = 0) => manage(`/roots/${chain}`),
    intermediatePem: (chain = 0) => manage(`/intermediates/${chain}`),
    intermediateKeyPem: (chain = 0) => manage(`/intermediate-keys/${chain}`),
    statusOf: async (certificate) => {
      const serial = new X509Certificate(certificate).serialNumber.toLowerCase();
      const text = await manage(`/cert-status-by-serial/${serial}`);
      return JSON.parse(text) as { Status: string; Reason?: number };
    },
    setRenewalInfo: async (certificate, renewalInfo) => {
      const body = JSON.stringify({ Certificate: certificate, ARIResponse: JSON.stringify(renewalInfo) });
      await manage('/set-renewal-info/', body);
    },
    requests: () => loggedRequests(readFileSync(part.log, 'utf8')).slice(before),
    stop: () => part.stop(),
  };
}

function pebbleConfig(spec: PebbleSpec, port: number, certificate: string, privateKey: string): unknown {
  const validity = spec.validitySeconds ?? { default: 90 * 86_400, shortlived: 6 * 86_400 };
  const profiles = Object.entries(validity).map(([name, validityPeriod]) => [
    name,
    { description: `Certificates for ${validityPeriod} s`, validityPeriod },
  ]);
  return {
    listenAddress: hostPort(spec.address, port),
    managementListenAddress: hostPort(spec.address, port + 1),
    certificate,
    privateKey,
    httpPort: spec.httpPort ?? 80,
    tlsPort: spec.tlsPort ?? 443,
    ocspResponderURL: '',
    externalAccountBindingRequired: spec.externalAccounts !== undefined,
    externalAccountMACKeys: spec.externalAccounts ?? {},
    caaIdentities: spec.caaIdentities ?? [],
    retryAfter: { authz: 1, order: 1 },
    keyAlgorithm: spec.keyAlgorithm ?? 'ecdsa',
    profiles: Object.fromEntries(profiles),
  };
}

function environment(spec: PebbleSpec): Record<string, string> {
  return {
    // Pebble 2.10.1 takes the locks of its store and of an authorization in either order, and stands still for ever when
    // an order is opened just as an authorization is read. On one processor the two never meet.
    GOMAXPROCS: '1',
    PEBBLE_VA_NOSLEEP: '1',
    PEBBLE_VA_ALWAYS_VALID: spec.alwaysValid === true ? '1' : '0',
    PEBBLE_WFE_NONCEREJECT: String(spec.nonceRejectPercent ?? 0),
    PEBBLE_AUTHZREUSE: String(spec.authzReusePercent ?? 0),
    PEBBLE_ALTERNATE_ROOTS: String(spec.alternateRoots ?? 0),
    PEBBLE_CHAIN_LENGTH: String(spec.intermediates ?? 1),
  };
}

function loggedRequests(log: string): string[] {
  const calls = [...log.matchAll(/ (\w+) (\/\S*) -> calling handler\(\)/g)].map(([, method, path]) => [method, path]);
  const management = /^\/(roots|intermediates|root-keys|intermediate-keys|cert-status-by-serial|set-renewal-info)\//;
  return calls.filter(([, path = '']) => !management.test(path)).map((call) => call.join(' '));
}

function withPort(server: string): string {
  if (isIPv6(server)) return `[${server}]:53`;
  return server.includes(':') ? server : `${server}:53`;
}

function hostPort(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function fetchText(url: string, ca: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'user-agent': 'mailseal-lab' };
    const method = body === undefined ? 'GET' : 'POST';
    const call = request(url, { ca, method, headers, timeout: 5000 }, (response) => {
      text(response).then((content) => {
        if (response.statusCode === 200) resolve(content);
        else reject(new Error(`${url}: ${response.statusCode} ${content}`));
      }, reject);
    });
    call.once('error', reject).once('timeout', () => call.destroy(new Error(`${url}: no answer within 5 s`)));
    call.end(body);
  });
}
