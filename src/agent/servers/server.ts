/** What the agent asks of a mail server, whichever it is. One file a server beside this one. */
import type { Ended } from './command.ts';

export const mailServerKinds = ['postfix', 'dovecot', 'exim', 'sendmail'] as const;
export type MailServerKind = (typeof mailServerKinds)[number];

/** `chain`: key, then leaf and intermediates, in one file, which alone is swapped in one step. */
export type TlsFiles = { readonly chain: string } | { readonly certificate: string; readonly key: string };

/** Whom files belong to, so that the mail server can read them and nobody else. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Where the mail server presents its certificate: after STARTTLS, or from the first byte. */
export interface Port {
  readonly address: string;
  readonly port: number;
  readonly tls: 'StartTls' | 'Direct';
}

/** One command of the mail server's, and its name for messages. */
export interface Step {
  readonly command: string;
  /** Never rejects: what could not be run has ended badly. */
  readonly run: () => Promise<Ended>;
}

/** A file of the mail server's configuration as it is, and as it should be. */
export interface Edit {
  readonly path: string;
  /** Absent where there is no such file yet. */
  readonly before?: string;
  readonly after: string;
}

/** What the configuration lacks to offer TLS with our files; empty lists when it lacks nothing. */
export interface Lacking {
  /** In the mail server's own words. */
  readonly settings: readonly string[];
  /**
   * What `--configure` writes, in this order: at each moment in between the mail server works as before. Empty, though
   * settings are lacking, where only an administrator can set them.
   */
  readonly edits: readonly Edit[];
}

export interface MailServer {
  readonly kind: MailServerKind;
  /** As messages name it. */
  readonly name: string;
  /** Its configuration, for messages. */
  readonly config: string;
  readonly test: Step;
  readonly reload: Step;
  readonly owner: () => Promise<Owner>;
  /** A setting that is stricter than ours stands. Rejects when the configuration can't be read. */
  readonly lacking: (files: TlsFiles) => Promise<Lacking>;
  /** The port at which it answers on this machine. Rejects when the configuration can't be read or names none. */
  readonly port: () => Promise<Port>;
}

/** Root's own: servers that read their key before they drop root's rights. */
export const rootOnly: Owner = { uid: 0, gid: 0, mode: 0o600 };
