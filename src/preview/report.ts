/** A whole plan, for a reader or for a program, and what the exit code says of it. */
import { plainJson, plainText, withoutSecrets } from '../api/text.ts';
import type { RequiredRecord } from '../api/types.ts';
import { describe } from '../dns/rrset.ts';
import { quoteTxt } from '../dns/txt.ts';
import type { LaterStep, ObjectPreview, RecordDiff, Step } from './preview.ts';

export interface PlanReport {
  /** What could not be read, and what that means. */
  readonly notices: readonly string[];
  /** What is wrong with the files themselves. */
  readonly problems: readonly string[];
  readonly objects: readonly ObjectPreview[];
}

interface Summary {
  readonly objects: number;
  readonly changes: number;
  readonly later: number;
  readonly byHand: number;
  readonly refused: number;
  readonly errors: number;
}

const unseen = ({ requiredRecords }: ObjectPreview): readonly RequiredRecord[] =>
  requiredRecords.filter(({ seen }) => !seen);

function summaryOf({ objects, problems }: PlanReport): Summary {
  const sum = (count: (object: ObjectPreview) => number): number => objects.reduce((all, one) => all + count(one), 0);
  return {
    objects: objects.length,
    changes: sum(({ changes }) => changes.length),
    later: sum(({ later }) => later.length),
    byHand: sum((one) => unseen(one).length),
    refused: sum(({ refused }) => refused.length),
    errors: problems.length + sum(({ error }) => (error === undefined ? 0 : 1)),
  };
}

/** 0: nothing to do for anyone; 1: something is wrong; 2: changes, now, later or by hand, or records that are refused. */
export function exitCodeOf(report: PlanReport): 0 | 1 | 2 {
  const { errors, changes, later, byHand, refused } = summaryOf(report);
  if (errors > 0) return 1;
  return changes + later + byHand + refused > 0 ? 2 : 0;
}

export function jsonOf(report: PlanReport): string {
  const { notices, problems, objects } = report;
  const whole = { formatVersion: 1, notices, problems, objects, summary: summaryOf(report) };
  const text = JSON.stringify(
    whole,
    (_, value: unknown) => (typeof value === 'string' ? withoutSecrets(value) : value),
    2,
  );
  return `${plainJson(text)}\n`;
}

/** UTF-16 units of a line. */
const longestLine = 4096;

export function textOf(report: PlanReport): string {
  const { notices, problems, objects } = report;
  const lines = [
    ...notices.map((notice) => `note: ${notice}`),
    ...problems.map((problem) => `error: ${problem}`),
    ...objects.flatMap((object) => ['', ...objectLines(object)]),
    '',
    summaryLine(summaryOf(report)),
  ];
  return `${lines
    .map((line) => plainText(line, longestLine))
    .join('\n')
    .trimStart()}\n`;
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

function summaryLine({ objects, changes, later, byHand, refused, errors }: Summary): string {
  const parts = [`${plural(changes, 'change')} now`, `${later} later`, `${byHand} by hand`, `${refused} refused`];
  return `Plan: ${plural(objects, 'object')}, ${parts.join(', ')}, ${plural(errors, 'error')}. Nothing was written.`;
}

function objectLines(object: ObjectPreview): readonly string[] {
  const { kind, namespace, name, about, error } = object;
  const heading = `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name} (${about})`;
  if (error !== undefined) return [heading, `  error: ${error.reason}: ${error.message}`];
  const { changes, later, refused, waits } = object;
  const nothing = changes.length + later.length + refused.length + unseen(object).length === 0;
  return [
    heading,
    ...conditionLines(object),
    ...changes.flatMap((step) => [...stepLines(step, '  '), `      because ${step.why}`]),
    ...later.flatMap(laterLines),
    ...unseen(object).flatMap(byHandLines),
    ...refused.map(({ reason, message }) => `  refused: ${reason}: ${message}`),
    ...waits.map(({ what, after }) => `  next: ${what}${after === undefined ? '' : `, after ${after}`}`),
    ...(nothing ? ['  nothing to change'] : []),
  ];
}

function conditionLines({ conditions }: ObjectPreview): readonly string[] {
  if (conditions.length === 0) return [];
  const short = conditions.map(({ type, status, reason }) =>
    status === 'True' || type === reason ? `${type}=${status}` : `${type}=${status} (${reason})`,
  );
  return [`  ${short.join(', ')}`];
}

const laterLines = (step: LaterStep): readonly string[] => [
  ...stepLines(step, '  later: '),
  `      when: ${step.when}`,
];

function stepLines({ action, record, what = '' }: Step, indent: string): readonly string[] {
  if (record === undefined) return [`${indent}${action === 'certificate' ? 'certificate: ' : ''}${what}`];
  const line = (sign: string, side: RecordDiff['before']): string => `${indent}${sign} ${setText(record, side)}`;
  const { before, after } = record;
  if (action === 'adopt') return [line('=', after)];
  if (before === undefined) return [line('+', after)];
  return after === undefined ? [line('-', before)] : [line('~ -', before), line('~ +', after)];
}

const setText = ({ name, type }: RecordDiff, side: RecordDiff['before']): string =>
  describe({ name, type, ttl: side?.ttlSeconds ?? 0, values: side?.values ?? [] });

function byHandLines({ name, type, ttlSeconds, values }: RequiredRecord): readonly string[] {
  const head = `${name}${ttlSeconds === undefined ? '' : ` ${ttlSeconds}`} ${type}`;
  if (values.length === 0) return [`  by hand: - ${head}, to be removed`];
  return values.map((value) => `  by hand: ${head} ${type === 'TXT' ? quoteTxt(value) : value}`);
}
