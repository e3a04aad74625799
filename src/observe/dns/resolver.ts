import type { Answer, QueryType, Resolver } from '../../dns/answer.ts';
import { type Endpoint, endpointText, parseEndpoint } from './endpoint.ts';
import { failedAnswer, readAnswer } from './read.ts';
import { type Asked, type Transport, createTransport } from './transport.ts';
import type { Message } from './wire.ts';

export interface ResolverOptions {
  readonly view: 'inside' | 'outside';
  /** Validating resolvers, in the order of preference: `tls://192.0.2.1:853#name`, `udp://192.0.2.1:53`. */
  readonly servers: readonly string[];
  /** PEM: whom to trust for `tls://` beside the system's store. */
  readonly caBundle?: string | undefined;
  /** Milliseconds for one question to one server. Default 5000. */
  readonly timeoutMs?: number;
}

type SelfTest = 'Validating' | { readonly problem: string };

export interface TestedResolver extends Resolver {
  /**
   * Finds out which servers validate: a signed name must come with AD, a bogus one must fail, but come with checking
   * disabled. Until a server has passed, nothing of it counts as authentic. `Validating` when at least one passed;
   * the problem names all others. May be called again at any time.
   */
  readonly selfTest: (secureName: string, bogusName: string) => Promise<SelfTest>;
  readonly close: () => void;
}

interface Server {
  readonly endpoint: Endpoint;
  readonly text: string;
  validating: boolean;
}

type Attempt = { readonly answer: Answer; readonly final: boolean };

const untested = 'the resolver has not been shown to validate DNSSEC';

function isData(asked: Asked): asked is { readonly ok: true; readonly message: Message } {
  return asked.ok && (asked.message.rcode === 'NOERROR' || asked.message.rcode === 'NXDOMAIN');
}

function isServFail(asked: Asked): boolean {
  return asked.ok && asked.message.rcode === 'SERVFAIL';
}

function failureText(asked: Asked): string {
  if (!asked.ok) return asked.detail;
  const { rcode, extendedError } = asked.message;
  return extendedError === undefined ? rcode : `${rcode}: ${extendedError}`;
}

/** Throws MailsealError `InvalidSpec` when a server's text can't be read or there is none. */
export function createResolver(options: ResolverOptions): TestedResolver {
  const transport: Transport = createTransport(options);
  const servers: readonly Server[] = options.servers.map((text) => {
    const endpoint = parseEndpoint(text);
    return { endpoint, text: endpointText(endpoint), validating: false };
  });

  const query = (server: Server, name: string, type: QueryType, checkingDisabled: boolean): Promise<Asked> =>
    transport.ask(server.endpoint, { name, type, recursion: true, checkingDisabled });

  const read = (server: Server, message: Message, name: string, type: QueryType): Answer => {
    const answer = readAnswer(message, name, type, message.authenticData && server.validating);
    return server.validating || answer.detail !== undefined ? answer : { ...answer, detail: untested };
  };

  /** SERVFAIL is all that a validating resolver says of bogus data; with checking disabled it hands them out. */
  const judgeServFail = async (server: Server, first: Asked, name: string, type: QueryType): Promise<Attempt> => {
    const unchecked = await query(server, name, type, true);
    const failed: Attempt = { answer: failedAnswer(name, type, 'ServFail', failureText(first)), final: false };
    if (!isData(unchecked)) return failed;
    // The servers may just have come back: what is bogus stays so when asked again.
    const again = await query(server, name, type, false);
    if (isData(again)) return { answer: read(server, again.message, name, type), final: true };
    if (!isServFail(again) || !server.validating) return failed;
    return { answer: failedAnswer(name, type, 'Bogus', failureText(again)), final: true };
  };

  const attempt = async (server: Server, name: string, type: QueryType): Promise<Attempt> => {
    const asked = await query(server, name, type, false);
    if (isData(asked)) return { answer: read(server, asked.message, name, type), final: true };
    if (isServFail(asked)) return await judgeServFail(server, asked, name, type);
    return { answer: failedAnswer(name, type, 'Unreachable', `${server.text}: ${failureText(asked)}`), final: false };
  };

  const lookup: Resolver['lookup'] = async (name, type) => {
    let failed = failedAnswer(name, type, 'Unreachable', 'no resolver is configured');
    for (const server of [...servers].sort((a, b) => Number(b.validating) - Number(a.validating))) {
      const { answer, final } = await attempt(server, name, type);
      if (final) return answer;
      // That a resolver could be asked says more than that the next one could not.
      if (failed.outcome !== 'ServFail') failed = answer;
    }
    return failed;
  };

  /** Undefined when the server validates. */
  const problemOf = async (server: Server, secureName: string, bogusName: string): Promise<string | undefined> => {
    const [secure, bogus, unchecked] = await Promise.all([
      query(server, secureName, 'SOA', false),
      query(server, bogusName, 'SOA', false),
      query(server, bogusName, 'SOA', true),
    ]);
    if (!isData(secure)) return `${server.text} gives no answer for the signed ${secureName} (${failureText(secure)})`;
    if (!secure.message.authenticData) return `${server.text} does not mark the signed ${secureName} as validated`;
    if (isData(bogus)) return `${server.text} hands out ${bogusName}, whose signatures are broken`;
    if (!isServFail(bogus) || !isData(unchecked)) {
      return `${server.text} can't be judged: ${bogusName} is out of its reach (${failureText(unchecked)})`;
    }
    return undefined;
  };

  const selfTest: TestedResolver['selfTest'] = async (secureName, bogusName) => {
    const problems = await Promise.all(
      servers.map(async (server) => {
        const problem = await problemOf(server, secureName, bogusName);
        server.validating = problem === undefined;
        return problem ?? [];
      }),
    );
    if (servers.some((server) => server.validating)) return 'Validating';
    return { problem: problems.flat().join('; ') || 'no resolver is configured' };
  };

  return { view: options.view, lookup, selfTest, close: transport.close };
}
