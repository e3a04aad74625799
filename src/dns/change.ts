import type { RecordSet, RecordType } from './rrset.ts';

/** One record set's change. `before` is what was observed (`undefined`: nothing of that type), `after` what shall stand. */
export interface RecordChange {
  readonly name: string;
  readonly type: RecordType;
  readonly before: RecordSet | undefined;
  readonly after: RecordSet | undefined;
}
