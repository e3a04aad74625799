/** Looks from outside, with other people's programs: records with AD, the policy over HTTPS, mail over verified TLS. */
import { run } from '../command.ts';
import { domain, type Lab, places } from '../lab.ts';
import type { PostfixSender } from '../postfix-sender.ts';

export interface RecordProof {
  readonly name: string;
  readonly type: string;
  readonly values: readonly string[];
  /** The AD bit of the outside resolver; null where none was asked. */
  readonly authentic: boolean | null;
}

export interface MailProof {
  readonly verified: boolean;
  readonly status: string;
  readonly log: readonly string[];
}

const wanted = [
  ['_mta-sts', 'TXT'],
  ['_smtp._tls', 'TXT'],
  ['mta-sts', 'A'],
  ['_25._tcp.mx1', 'TLSA'],
  ['_25._tcp.mx2', 'TLSA'],
] as const;

/** What dig prints of the outside resolver's answers. */
export async function seeRecords(): Promise<readonly RecordProof[]> {
  return Promise.all(
    wanted.map(async ([label, type]) => {
      const name = `${label}.${domain}`;
      const shown = await run(['dig', `@${places.outside}`, name, type, '+dnssec', '+noall', '+comments', '+answer']);
      const lines = shown.split('\n').filter((line) => line.startsWith(`${name}.`));
      const values = lines.map((line) => line.split(/\s+/)).filter((fields) => fields[3] === type);
      const authentic = /^;; flags:[^;]* ad[ ;]/m.test(shown);
      return { name, type, values: values.map((fields) => fields.slice(4).join(' ')), authentic };
    }),
  );
}

/** The policy as curl fetches it with the lab's public roots; rejects when the certificate is not trusted. */
export async function seePolicy(caFile: string): Promise<string> {
  const host = `mta-sts.${domain}`;
  const url = `https://${host}/.well-known/mta-sts.txt`;
  return run([
    'curl',
    '-sS',
    '--fail',
    '--max-time',
    '20',
    '--cacert',
    caFile,
    '--resolve',
    `${host}:443:${places.policy}`,
    url,
  ]);
}

export async function sendMail(sender: PostfixSender, subject: string): Promise<MailProof> {
  const { verified, status, log } = await sender.send({ from: 'alice@sender.test', to: `bob@${domain}`, subject });
  return { verified, status, log };
}

export async function provePair(lab: Lab): Promise<{ readonly dane: MailProof; readonly mtaSts: MailProof }> {
  const [dane, mtaSts] = await Promise.all([
    sendMail(lab.mail.dane, 'by DANE'),
    sendMail(lab.mail.mtaSts, 'by MTA-STS'),
  ]);
  return { dane, mtaSts };
}
