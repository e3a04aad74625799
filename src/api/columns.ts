import type { Column } from './schema.ts';

const ofReady = (part: 'status' | 'reason' | 'message'): string => `.status.conditions[?(@.type=="Ready")].${part}`;

/** Ready, its reason, and in wide output its message and what comes next. */
export const readyColumns: readonly Column[] = [
  { name: 'Ready', type: 'string', jsonPath: ofReady('status'), description: 'Whether all that applies holds.' },
  { name: 'Reason', type: 'string', jsonPath: ofReady('reason'), description: 'Why; see docs/reasons.md.' },
  { name: 'Message', type: 'string', jsonPath: ofReady('message'), description: 'Why, in words.', wide: true },
  { name: 'Next', type: 'string', jsonPath: '.status.next[0].what', description: 'What comes next.', wide: true },
];

export const ageColumn: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Since when the object exists.',
};
