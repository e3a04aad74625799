/** A stranger who sends mail: a real Postfix that insists on DANE, or follows MTA-STS. */
import { randomUUID } from 'node:crypto';
import { run } from './command.ts';
import { type MtaStsResolver, startMtaStsResolver } from './mail-sts.ts';
import { type Instance, startInstance } from './postfix.ts';
import { type Delivery, deliveryOf, queueIdOf } from './postfix-log.ts';
import { waitFor } from './process.ts';

type SenderMode = 'dane-only' | 'dane' | 'mta-sts' | 'may';

export interface SenderSpec {
  /** State directory; made when absent. */
  readonly dir: string;
  readonly mode: SenderMode;
  /** Address of the validating resolver that it trusts. */
  readonly resolver: string;
  /** PEM file with the roots that it trusts for MX hosts and policy hosts; DANE needs none. */
  readonly caFile?: string;
  /** Loopback port of its policy daemon, 8461 when absent; one for each sender by MTA-STS in a namespace. */
  readonly stsPort?: number;
  /** Host name in EHLO: `sender.test` when absent. */
  readonly name?: string;
}

interface Message {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
}

export interface PostfixSender extends Instance {
  readonly mode: SenderMode;
  /** Injects a message and resolves with its first outcome; Postfix goes on trying a deferred one every few seconds. */
  readonly send: (message: Message, timeoutMs?: number) => Promise<Delivery>;
}

export async function startPostfixSender(spec: SenderSpec): Promise<PostfixSender> {
  const sts = spec.mode === 'mta-sts' ? await startPolicies(spec) : undefined;
  const name = spec.name ?? 'sender.test';
  const parameters = { ...senderParameters, ...modeParameters(spec, sts) };
  const instance = await startInstance({ dir: spec.dir, name, resolver: spec.resolver, parameters }).catch(
    async (error: unknown) => {
      await sts?.stop();
      throw error;
    },
  );
  const stop = async (): Promise<void> => void (await Promise.all([instance.stop(), sts?.stop()]));
  return { ...instance, mode: spec.mode, send: (message, timeoutMs) => send(instance, message, timeoutMs), stop };
}

async function send(instance: Instance, message: Message, timeoutMs = 60_000): Promise<Delivery> {
  const id = `${randomUUID()}@lab`;
  await inject(instance.configDir, message, id);
  return waitFor(
    `an outcome of the message to ${message.to}`,
    () => {
      const lines = instance.lines();
      const queueId = queueIdOf(lines, id);
      return queueId === undefined ? undefined : deliveryOf(lines, queueId);
    },
    { timeoutMs, everyMs: 50, part: instance.part },
  );
}

async function inject(configDir: string, { from, to, subject }: Message, id: string): Promise<void> {
  const input = `From: <${from}>\nTo: <${to}>\nSubject: ${subject}\nMessage-ID: <${id}>\n\nFrom the lab.\n`;
  await run(['sendmail', '-C', configDir, '-f', from, '-i', to], { input });
}

function startPolicies({ dir, resolver, caFile, stsPort = 8461 }: SenderSpec): Promise<MtaStsResolver> {
  if (caFile === undefined) throw new Error('a sender by MTA-STS needs caFile: the roots that it trusts');
  return startMtaStsResolver({ dir, resolver, caFile, port: stsPort });
}

export const senderParameters: Readonly<Record<string, string>> = {
  inet_interfaces: 'loopback-only',
  inet_protocols: 'all',
  smtp_host_lookup: 'dns',
  smtp_tls_loglevel: '1',
  smtp_connect_timeout: '5s',
  smtp_helo_timeout: '10s',
  smtp_connection_cache_on_demand: 'no',
  // A failed delivery must not hold back the next: each message shows what the world is like when it is sent.
  default_destination_concurrency_failed_cohort_limit: '0',
  queue_run_delay: '5s',
  minimal_backoff_time: '5s',
  maximal_backoff_time: '10s',
};

function modeParameters(spec: SenderSpec, sts: MtaStsResolver | undefined): Record<string, string> {
  switch (spec.mode) {
    case 'dane-only':
    case 'dane':
      return { smtp_tls_security_level: spec.mode, smtp_dns_support_level: 'dnssec' };
    case 'mta-sts':
      return {
        smtp_tls_security_level: 'may',
        smtp_tls_policy_maps: sts?.map ?? '',
        smtp_tls_CAfile: spec.caFile ?? '',
      };
    case 'may':
      return { smtp_tls_security_level: 'may' };
  }
}
