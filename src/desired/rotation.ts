/** When the hosts are to have another key: by age, or by the annotations with which a user asks for one or forbids it. */
import { quoted } from '../dns/problem.ts';
import { refuse, type Resolution } from './references.ts';

export const rotateNowAnnotation = 'mailseal.dev/rotate-now';
export const holdAnnotation = 'mailseal.dev/hold';

/** A user's wish. One and the same, as written, is met once. */
export interface RotationWish {
  readonly text: string;
  /** `Back`: to the key that the hosts had before, while they are moved to the next one. */
  readonly wanted: 'RotateNow' | 'Compromised' | 'Back';
  /** Milliseconds since 1970: not before. A key that the hosts were given later meets the wish already. */
  readonly at?: number;
}

export interface DesiredRotation {
  readonly wish: RotationWish | undefined;
  /** No swap, and no TLSA record added or removed; certificates are renewed. */
  readonly held: boolean;
  /** A key is replaced after so many days; 0: only when a user asks. */
  readonly everyDays: number;
}

const timestamp = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/u;

const timeOf = (text: string): number | undefined => {
  const time = timestamp.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
};

/** Whether a wish, as written, says that the key is no secret any more. */
export const isCompromise = (text: string): boolean => text.split(/\s+/u)[0] === 'compromised';

function wishOf(text: string): RotationWish | undefined {
  const at = timeOf(text);
  if (at !== undefined) return { text, wanted: 'RotateNow', at };
  if (text === 'back') return { text, wanted: 'Back' };
  const [word, when, ...rest] = text.split(/\s+/u);
  if (word !== 'compromised' || rest.length > 0) return undefined;
  if (when === undefined) return { text, wanted: 'Compromised' };
  const since = timeOf(when);
  return since === undefined ? undefined : { text, wanted: 'Compromised', at: since };
}

/** What the annotations and the spec say of the keys. */
export function desiredRotation(
  annotations: Readonly<Record<string, string>> | undefined,
  everyDays: number,
): Resolution<DesiredRotation> {
  const text = annotations?.[rotateNowAnnotation]?.trim() ?? '';
  const wish = text === '' ? undefined : wishOf(text);
  if (text !== '' && wish === undefined)
    return refuse(
      'InvalidSpec',
      `the annotation ${rotateNowAnnotation} holds ${quoted(text)}; write a time such as 2026-11-29T20:00:00Z, from which on the next key may be given to the hosts; compromised, or compromised and the time since when; or back`,
    );
  const holds = (annotations?.[holdAnnotation] ?? '').split(',').map((word) => word.trim());
  const unknown = holds.find((word) => word !== '' && word !== 'rollover');
  if (unknown !== undefined)
    return refuse('InvalidSpec', `the annotation ${holdAnnotation} holds ${quoted(unknown)}; write rollover`);
  return { ok: true, value: { wish, held: holds.includes('rollover'), everyDays } };
}
