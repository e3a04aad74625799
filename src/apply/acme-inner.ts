import type { KeyObject } from 'node:crypto';
import type { WireAnswer } from './acme-answer.ts';

interface JwsHeader {
  readonly nonce?: string | null;
  readonly kid?: string | null;
}

/** The parts of acme-client beneath its public methods, which those hide headers and status behind. */
export interface Inner {
  readonly http: {
    request: (url: string, method: string, options?: { data?: unknown }) => Promise<WireAnswer>;
    getNonce: () => Promise<string>;
    directoryCache: object | null;
    maxBadNonceRetries: number;
    accountKey: string | KeyObject;
    readonly getJwk: () => object;
    createSignedBody: (url: string, payload: object | null, how?: JwsHeader) => object;
    readonly prepareSignedBody: (alg: string, url: string, payload: object | null, how?: JwsHeader) => object;
    externalAccountBinding: { kid?: string; hmacKey?: string };
    readonly getResourceUrl: (resource: string) => Promise<string>;
    readonly getMetaField: (field: string) => Promise<unknown>;
  };
  readonly api: {
    readonly apiRequest: (
      url: string,
      payload: object | null,
      valid: readonly number[],
      options?: { includeJwsKid?: boolean; includeExternalAccountBinding?: boolean },
    ) => Promise<WireAnswer>;
    accountUrl: string | null;
  };
  readonly getChallengeKeyAuthorization: (challenge: object) => Promise<string>;
}
