/** What a durable state must hold, and of which type, before anything is planned from it. */
import type { State } from './state.ts';
import { isObject } from './stored.ts';

type Fits = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Fits>>;

const text: Fits = (value) => typeof value === 'string';
const number: Fits = (value) => typeof value === 'number';
const flag: Fits = (value) => typeof value === 'boolean';
const oneOf =
  (...words: readonly string[]): Fits =>
  (value) =>
    words.includes(String(value));
const optional =
  (fits: Fits): Fits =>
  (value) =>
    value === undefined || fits(value);
const listOf =
  (fits: Fits): Fits =>
  (value) =>
    Array.isArray(value) && value.every(fits);
const flaws = (value: Readonly<Record<string, unknown>>, shape: Shape): readonly string[] =>
  Object.entries(shape).flatMap(([name, fits]) => (fits(value[name]) ? [] : [name]));
const object =
  (shape: Shape): Fits =>
  (value) =>
    isObject(value) && flaws(value, shape).length === 0;

const storedKey = object({ algorithm: text, pem: text, spkiSha256: text });
const place = { name: text, provider: text, zone: text } as const;
const replaced: Shape = { chain: text, issuer: text, spkiSha256: text, notAfter: number };
const certificate = object({ ...replaced, names: listOf(text), renewAt: number });
const authorization = { name: text, url: text, challengeUrl: text } as const;
const lane: Shape = {
  namespace: text,
  name: text,
  issuer: text,
  order: optional(
    object({
      url: text,
      issuer: text,
      spkiSha256: text,
      names: listOf(text),
      authorizations: listOf(object({ ...authorization, txtName: text, txtValue: text })),
      http: optional(listOf(object({ ...authorization, token: text, keyAuthorization: text }))),
    }),
  ),
  certificate: optional(certificate),
  applied: listOf(
    object({
      ...place,
      delegatedFrom: optional(text),
      type: text,
      ttl: number,
      values: listOf(text),
      standing: oneOf('Intended', 'Ours', 'Found'),
      previousTtl: number,
      retimed: optional(flag),
      restored: optional(object({ times: number, at: number, stood: flag })),
    }),
  ),
  spent: listOf(object({ ...place, txtName: text, value: text })),
};

/** Without these nothing can be planned, and planning all the same would throw away what they held. */
const shapes: Readonly<Record<State['kind'], Shape>> = {
  exchanger: {
    ...lane,
    rollover: object({
      phase: oneOf('Steady', 'Armed', 'Swapping', 'Retiring'),
      current: text,
      next: text,
      published: flag,
      adopted: optional(listOf(text)),
      dropped: optional(listOf(text)),
      spare: optional(text),
      goneSince: optional(number),
      presentedSince: optional(number),
      contradicted: optional(object({ endedAt: optional(number) })),
      nextContradicted: optional(object({ endedAt: optional(number) })),
    }),
    rotation: optional(
      object({ since: number, nextSince: optional(number), for: optional(text), met: optional(text) }),
    ),
    otherCertificates: optional(listOf(certificate)),
    replaced: optional(listOf(object(replaced))),
    revocations: optional(
      listOf(
        object({
          ...replaced,
          key: optional(storedKey),
          failures: optional(number),
          after: optional(number),
          failure: optional(text),
        }),
      ),
    ),
    imported: optional(text),
    keys: listOf(storedKey),
    sourceSecretName: optional(text),
    leftHosts: optional(listOf(text)),
    restart: optional(listOf(object({ kind: oneOf('Deployment', 'StatefulSet', 'DaemonSet'), name: text }))),
  },
  domain: {
    ...lane,
    domain: text,
    key: storedKey,
    publications: listOf(
      object({
        id: text,
        body: text,
        mode: oneOf('none', 'testing', 'enforce'),
        maxAgeSeconds: number,
        mxs: listOf(text),
        mintedAt: number,
      }),
    ),
    listedHosts: listOf(text),
    removedHosts: listOf(object({ host: text, ttl: number })),
  },
};

/** The fields that are missing or are not what they should be. */
export const lackedBy = (kind: State['kind'], stored: Readonly<Record<string, unknown>>): readonly string[] =>
  flaws(stored, shapes[kind]);
