/**
 * What can be seen from outside, one sighting after another, and what a rule makes of it. Times are milliseconds since
 * 1970. A look takes a while: what it shows stood at some moment from `from` to `to`.
 */
import type { X509Certificate } from 'node:crypto';

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** TLSA values are `3 1 1 HEX`, TXT values the joined text, MX values `10 host`; sorted. */
export interface RecordSet {
  readonly name: string;
  readonly type: string;
  /** Seconds. */
  readonly ttl: number;
  readonly values: readonly string[];
}

/** As far as rules read it. */
export interface Thing {
  readonly apiVersion: string;
  readonly kind: string;
  readonly type?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

/** What a policy pod answered for one domain. */
export type PolicyAnswer =
  | { readonly is: 'Body'; readonly body: string }
  /** It has a certificate for the name, and no policy. */
  | { readonly is: 'NoPolicy' }
  /** It knows no such name. */
  | { readonly is: 'UnknownHost' }
  /** It could not be reached, which says nothing of what it would serve. */
  | { readonly is: 'Silent'; readonly why: string };

export type Wire = 'kubernetes' | 'acme' | 'dns';

/** What only the harness knows. */
export type Told =
  /** Nothing more is going to change by itself: what holds in the end must hold now. */
  | { readonly is: 'settled' }
  | { readonly is: 'killed' }
  | { readonly is: 'started' }
  /** From now on nobody has a reason to write anything. */
  | { readonly is: 'quiet' }
  | { readonly is: 'stirred' }
  /** The clock that counts for promises is ahead of the real one, in all by so much. */
  | { readonly is: 'clock'; readonly aheadMs: number }
  | { readonly is: 'away' | 'back'; readonly what: Absence }
  /** Somebody else changed the world: what stands now is what he wants. */
  | { readonly is: 'changed-by-others' }
  /** What is done to the world breaks this invariant by itself: it is not judged until it is told to count again. */
  | { readonly is: 'excused' | 'counts'; readonly invariant: Invariant };

/** `kubernetes`: the API server; `ca`: the CA; `views`: what the operator sees the world by. */
export type Absence = 'kubernetes' | 'ca' | 'views';

export type Sighting =
  | ({
      readonly of: 'set';
      readonly server: string;
      readonly name: string;
      readonly type: string;
      readonly set: RecordSet | undefined;
    } & Span)
  /** All record sets at and below a domain. */
  | ({ readonly of: 'walk'; readonly domain: string; readonly sets: readonly RecordSet[] } & Span)
  | ({
      readonly of: 'presented';
      readonly host: string;
      readonly address: string;
      /** Leaf first; undefined where the host could not be reached or offered no STARTTLS. */
      readonly chain: readonly X509Certificate[] | undefined;
    } & Span)
  | ({
      readonly of: 'served';
      readonly pod: string;
      readonly domain: string;
      readonly answer: PolicyAnswer;
      readonly chain: readonly X509Certificate[];
    } & Span)
  | {
      readonly of: 'object';
      readonly at: number;
      readonly change: 'Stands' | 'Changed' | 'Gone';
      readonly thing: Thing;
    }
  | {
      readonly of: 'write';
      readonly at: number;
      readonly stage: 'Arrives' | 'Done' | 'Refused';
      readonly wire: Wire;
      readonly what: string;
      readonly body: Buffer;
      readonly by: string;
    }
  | { readonly of: 'told'; readonly at: number; readonly told: Told }
  | { readonly of: 'tick'; readonly at: number };

export const invariants = [
  'I1',
  'I2',
  'I3',
  'I4',
  'I5',
  'I6',
  'I7',
  'I8',
  'I9',
  'I10',
  'I11',
  'I12',
  'I14',
  'I16',
  'I17',
  'I18',
  'I19',
] as const;
export type Invariant = (typeof invariants)[number];

/** What does not change while the observer looks. */
export interface Scene {
  readonly servers: readonly string[];
  readonly domains: readonly string[];
  /** Where each MX host is. */
  readonly hosts: readonly { readonly host: string; readonly address: string }[];
  readonly pods: readonly string[];
  /** Names of zones that no sender may trust TLSA records of. */
  readonly insecure: readonly string[];
  /** PEM of the roots that senders trust; chains are not judged without. */
  readonly roots: readonly string[];
  readonly operatorNamespace: string;
}

/** Says what is wrong, once for each sentence. */
export type Say = (invariant: Invariant, at: number, sentence: string) => void;

export type Rule = (sighting: Sighting) => void;
export type MakeRule = (scene: Scene, say: Say) => Rule;

export const isBelow = (name: string, domain: string): boolean => name === domain || name.endsWith(`.${domain}`);
