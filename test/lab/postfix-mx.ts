/** An MX host: a real Postfix that accepts mail for its domains and throws it away. */
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { selfSigned, writeBundle } from './mail-ca.ts';
import { type Instance, startInstance } from './postfix.ts';
import { type ReceivedMessage, receivedMessages } from './postfix-log.ts';
import { waitFor } from './process.ts';

export interface MxSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  /** Host name: `mx1.example.test`. */
  readonly name: string;
  /** Addresses that an interface carries; it listens on port 25 of them. */
  readonly v4: string;
  readonly v6?: string;
  /** Address of its resolver. */
  readonly resolver: string;
  /** Domains that it accepts mail for, any mailbox of theirs. */
  readonly domains: readonly string[];
  /** Whether it offers STARTTLS; true when absent. */
  readonly tls?: boolean;
  /** Parameters of main.cf to add or replace. */
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface PostfixMx extends Instance {
  readonly name: string;
  /**
   * The one file with key and chain that `smtpd_tls_chain_files` names; in the beginning a self-signed certificate in
   * another name, of no use to anybody.
   */
  readonly chainFile: string;
  /** The messages taken in and thrown away. */
  readonly received: () => readonly ReceivedMessage[];
}

/** Resolves when it greets on every address. */
export async function startPostfixMx(spec: MxSpec): Promise<PostfixMx> {
  const tlsDir = join(spec.dir, 'tls');
  mkdirSync(tlsDir, { recursive: true });
  const chainFile = join(tlsDir, 'mx.pem');
  const useless = await selfSigned({ path: join(tlsDir, 'useless'), names: ['localhost'], days: 3650 });
  writeBundle(chainFile, useless);
  const addresses = spec.v6 === undefined ? [spec.v4] : [spec.v4, spec.v6];
  const instance = await startInstance({
    dir: spec.dir,
    name: spec.name,
    resolver: spec.resolver,
    parameters: { ...mxParameters(spec, addresses, chainFile), ...spec.parameters },
    services: ['smtp      inet  n  -  n  -   -  smtpd'],
  });
  const { part, lines } = instance;
  try {
    for (const host of addresses) await waitFor(`${spec.name} greets at ${host}`, () => greeting(host), { part });
  } catch (error) {
    await instance.stop();
    throw error;
  }
  return { ...instance, name: spec.name, chainFile, received: () => receivedMessages(lines()) };
}

function mxParameters(spec: MxSpec, addresses: readonly string[], chainFile: string): Record<string, string> {
  return {
    inet_interfaces: addresses.join(', '),
    inet_protocols: spec.v6 === undefined ? 'ipv4' : 'all',
    virtual_mailbox_domains: spec.domains.join(', '),
    virtual_mailbox_maps: 'static:anybody',
    virtual_transport: 'discard:',
    smtpd_relay_restrictions: 'reject_unauth_destination',
    // No zone of the lab says who its clients are, and a lookup that fails would only take time.
    smtpd_peername_lookup: 'no',
    smtpd_tls_loglevel: '1',
    ...(spec.tls === false
      ? { smtpd_tls_security_level: 'none' }
      : { smtpd_tls_security_level: 'may', smtpd_tls_chain_files: chainFile }),
  };
}

function greeting(host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 25 });
    socket.setTimeout(5000, () => socket.destroy(new Error(`${host} does not greet within 5 s`)));
    socket.once('error', reject).once('data', (data) => {
      socket.end('QUIT\r\n');
      resolve(data.toString().startsWith('220 '));
    });
  });
}
