import type { Clock } from '../../clock.ts';
import { MailsealError, messageOf } from '../../errors.ts';
import { KubeError } from '../../kube/error.ts';
import { type Endpoint, endpointText } from '../../observe/dns/endpoint.ts';
import { openStream } from '../../observe/dns/stream.ts';
import { type Message, decodeMessage } from '../../observe/dns/wire.ts';
import { type TsigKey, type Verified, signMessage, verifyMessage } from './tsig.ts';

/** A connection on which each message goes out signed and each answer is believed only when it is signed, too. */
export interface SignedConnection {
  /** Throws what `build` throws, or MailsealError `ProviderUnavailable` (no answer: it may have acted or not) or `ProviderUnauthorized`. */
  readonly exchange: (build: (id: number) => Buffer) => Promise<Message>;
  /** True when it takes no more messages. */
  readonly done: () => boolean;
  readonly close: () => void;
}

/** An answer without a signature, which proves nothing; what it says may still tell a human where to look. */
export class UnsignedAnswer extends MailsealError {
  readonly rcode: string;

  constructor(server: string, rcode: string) {
    super('ProviderUnavailable', `${server}: its answer (${rcode}) is not signed, so it is not believed`);
    this.rcode = rcode;
  }
}

type Rejected = Extract<Verified, { state: 'Rejected' }>;

function unauthorized(rejected: Rejected, server: string, key: TsigKey, nowSeconds: number): MailsealError {
  const error = (why: string): MailsealError =>
    new MailsealError('ProviderUnauthorized', `${server} did not accept the TSIG key "${key.name}": ${why}`, {
      kind: rejected.error === 'BADTIME' ? 'Retry' : 'Stalled',
    });
  switch (rejected.error) {
    case 'BADKEY':
      return error(
        `it knows no key of this name for ${key.algorithm} (BADKEY); compare name and algorithm with its own`,
      );
    case 'BADSIG':
    case 'BADTRUNC':
      return error(`its secret for this key is another one (${rejected.error}); correct the credentials Secret`);
    case 'BADTIME': {
      const { serverSeconds } = rejected;
      const gap = serverSeconds === undefined ? '' : ` by ${Math.abs(serverSeconds - nowSeconds)} seconds`;
      return error(`the clocks of the server and of this machine differ${gap} (BADTIME); set them right`);
    }
  }
}

/** Opens no connection before the first message. */
export function connectSigned(endpoint: Endpoint, key: TsigKey, clock: Clock, timeoutMs: number): SignedConnection {
  const stream = openStream(endpoint);
  const server = endpointText(endpoint);
  const unavailable = (what: string, cause?: unknown): MailsealError =>
    new MailsealError('ProviderUnavailable', `${server}: ${what}`, { cause });

  const judge = (bytes: Buffer, mac: Buffer): Message => {
    const nowSeconds = Math.floor(clock.now() / 1000);
    const verified = verifyMessage(bytes, key, mac, nowSeconds);
    switch (verified.state) {
      case 'Signed':
        return decodeMessage(verified.message);
      case 'Rejected':
        throw unauthorized(verified, server, key, nowSeconds);
      case 'Unsigned':
        throw new UnsignedAnswer(server, decodeMessage(verified.message).rcode);
      case 'Forged':
        throw unavailable(verified.why);
    }
  };

  return {
    exchange: async (build) => {
      let mac: Buffer = Buffer.alloc(0);
      const sign = (id: number): Buffer => {
        const signed = signMessage(build(id), key, Math.floor(clock.now() / 1000));
        mac = signed.mac;
        return signed.bytes;
      };
      try {
        return judge(await stream.exchange(sign, timeoutMs), mac);
      } catch (error) {
        if (error instanceof MailsealError || error instanceof KubeError) throw error;
        throw unavailable(`${messageOf(error)}; a change may or may not have been made`, error);
      }
    },
    done: stream.done,
    close: stream.close,
  };
}
