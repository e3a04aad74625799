import { readFile } from 'node:fs/promises';
import { UsageError } from '../config.ts';
import { messageOf } from '../errors.ts';
import { createLog } from '../log.ts';
import type { Io } from './io.ts';

const usage = `mailseal: makes the receiving side of a mail domain provably encrypted, and keeps it so

usage: mailseal PROGRAM [ARGUMENTS]

  operator        reconciles MailDomain, MailExchanger, DNSProvider and CertificateIssuer in a Kubernetes cluster
  policy-server   serves MTA-STS policies by SNI from the shards that the operator writes
  uninstall-check fails while objects or withdrawals still need the operator
  agent enroll    lets an MX host outside the cluster take its certificate from one Secret
  agent run       installs that certificate into the mail server, tests, reloads, verifies, and attests what is served
  plan -f PATH    shows what would be done about manifests, as a diff with reasons and waits; writes nothing
  drill KIND NAME shows what a rotation of keys would do, step by step, when, and what would hold it up; writes nothing
  lint KIND FILE  reads a text as its readers do: mta-sts-policy, mta-sts-record, tlsrpt-record, tlsa, manifest

Every program takes --help. Exit codes: 0 fine, 1 not, 2 the command line could not be read; of plan 2 means changes,
of drill that it would not come to its end.
`;

/** Runs one program; its exit code. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const [program, ...rest] = args;
  try {
    switch (program) {
      case 'operator':
        return await (await import('./operator.ts')).runOperator(rest, io);
      case 'policy-server':
        return await (await import('./policy-server.ts')).runPolicyServer(rest, io);
      case 'uninstall-check':
        return await (await import('./uninstall-check.ts')).runUninstallCheck(rest, io);
      case 'agent':
        return await (await import('./agent.ts')).agentCommand(rest, {
          ...io,
          log: createLog(io.out, 'info', io.clock),
        });
      case 'plan':
        return await (await import('./plan.ts')).runPlan(rest, io);
      case 'drill':
        return await (await import('./drill.ts')).runDrill(rest, io);
      case 'lint':
        return await (await import('./lint.ts')).runLint(rest, {
          ...io,
          readFile: (path) => readFile(path, 'utf8'),
          write: io.out,
        });
      case undefined:
      case 'help':
      case '--help':
      case '-h':
        io.out(usage);
        return program === undefined ? 2 : 0;
      default:
        io.err(`mailseal: there is no program "${program}"\n\n${usage}`);
        return 2;
    }
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`mailseal ${program ?? ''}: ${error.message}. See mailseal ${program ?? ''} --help\n`);
      return 2;
    }
    io.err(`mailseal ${program ?? ''}: ${messageOf(error)}\n`);
    return 1;
  }
}
