import { dirname, join } from 'node:path';
import { createDovecot } from './dovecot.ts';
import { createExim } from './exim.ts';
import { createPostfix } from './postfix.ts';
import { createSendmail } from './sendmail.ts';
import type { MailServer, MailServerKind, TlsFiles } from './server.ts';

/** `config`: Postfix's config_directory; of the others the main file of their configuration. */
export function openServer(kind: MailServerKind, config: string): MailServer {
  switch (kind) {
    case 'postfix':
      return createPostfix(config);
    case 'dovecot':
      return createDovecot(config);
    case 'exim':
      return createExim(config);
    case 'sendmail':
      return createSendmail(config);
  }
}

/** Where Debian's packages keep it. */
export const defaultConfigs: Readonly<Record<MailServerKind, string>> = {
  postfix: '/etc/postfix',
  dovecot: '/etc/dovecot/dovecot.conf',
  exim: '/etc/exim4/exim4.conf',
  sendmail: '/etc/mail/sendmail.cf',
};

export function defaultFiles(kind: MailServerKind, config: string): TlsFiles {
  return { chain: join(kind === 'postfix' ? config : dirname(config), 'mailseal', 'chain.pem') };
}
