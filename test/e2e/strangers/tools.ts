/** Programs of others that judge a host by its TLSA records, each with its own DNSSEC, TLS and reading of RFC 7672. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { resolvingBy } from '../../lab/postfix.ts';
import { mxHost, type Ground } from './ground.ts';

export interface Verdict {
  readonly accepts: boolean;
  /** What it printed. */
  readonly said: string;
}

const patienceMs = 20_000;

/** Runs with the lab's resolver for the system's, and its trust anchor for the root's. */
function run(ground: Ground, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Verdict {
  const anchors = join(ground.dir, 'anchors.key');
  writeFileSync(anchors, `${ground.bind.trustAnchors.join('\n')}\n`);
  const anchored = 'mount --bind "$1" /usr/share/dns/root.key && shift && exec "$@"';
  const wrapped = resolvingBy(ground.addresses.resolver, ground.dir, ['sh', '-c', anchored, 'sh', anchors, ...argv]);
  const [command, ...args] = wrapped;
  const done = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: patienceMs,
    input: 'QUIT\r\n',
    env: { ...process.env, ...env },
  });
  if (done.error !== undefined) throw done.error;
  return { accepts: done.status === 0, said: `${argv.join(' ')}\n${done.stdout}${done.stderr}` };
}

/** The chain that the host sends. */
function presentedChain(ground: Ground): string {
  const connect = ['-connect', `${ground.addresses.mx}:25`, '-starttls', 'smtp', '-servername', mxHost];
  const { said } = run(ground, ['openssl', 's_client', ...connect, '-showcerts']);
  const chain = said.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/gu) ?? [];
  if (chain.length === 0) throw new Error(`the host sends no certificate: ${said}`);
  return `${chain.join('\n')}\n`;
}

/** The records, as the lab's resolver has them. */
function tlsaRecords(ground: Ground): readonly string[] {
  const { said } = run(ground, ['dig', '+short', `@${ground.addresses.resolver}`, `_25._tcp.${mxHost}`, 'TLSA']);
  return said.split('\n').flatMap((line) => {
    const [head, data] = /^(\d \d \d) ([0-9A-F ]+)$/u.exec(line)?.slice(1) ?? [];
    return head === undefined || data === undefined ? [] : [`${head} ${data.replaceAll(' ', '')}`];
  });
}

/** By name, each judging the host as it stands. */
export const strangers: Readonly<Record<string, (ground: Ground) => Verdict>> = {
  'posttls-finger': (ground) => {
    const argv = ['posttls-finger', '-c', '-l', 'dane-only', '-L', 'summary', '-t', '10', `[${mxHost}]:25`];
    const { said } = run(ground, argv, { MAIL_CONFIG: ground.mx.configDir });
    return { accepts: /Verified TLS connection established/u.test(said), said };
  },
  'openssl s_client': (ground) => {
    const records = tlsaRecords(ground).flatMap((record) => ['-dane_tlsa_rrdata', record]);
    const dane = ['-dane_tlsa_domain', mxHost, ...records, '-verify_return_error'];
    const connect = ['-connect', `${ground.addresses.mx}:25`, '-starttls', 'smtp'];
    const { accepts, said } = run(ground, ['openssl', 's_client', ...connect, ...dane]);
    return { accepts: accepts && /DANE TLSA 3 1 1 .* matched (the )?EE certificate/u.test(said), said };
  },
  'ldns-dane verify': (ground) => {
    const file = join(ground.dir, 'presented.pem');
    writeFileSync(file, presentedChain(ground));
    // It knows no STARTTLS: it is given the chain that the host sends, and takes the records from the DNS itself.
    const { resolver, mx } = ground.addresses;
    return run(ground, ['ldns-dane', '-r', resolver, '-a', mx, '-c', file, 'verify', mxHost, '25']);
  },
};
