/** A drill, for a reader or for a program, and what the exit code says of it. */
import { plainJson, plainText, withoutSecrets } from '../api/text.ts';
import type { Deed, DrillRow } from '../plan/drill.ts';
import { tlsaOfKey } from '../dane/tlsa.ts';
import type { DrillReport } from './drill.ts';

/** 0: it would come to its end; 2: not as things stand. */
export const drillExitCode = ({ blocked }: DrillReport): 0 | 2 => (blocked.length > 0 ? 2 : 0);

export const drillAssumptions: readonly string[] = [
  'every change is made at once and seen at all name servers at once, and a certificate is issued at once',
  'each host that has the key it was given takes the next one as soon as it is delivered; one that lags now goes on to do so',
  'DNSSEC, the spec and other annotations stay as they are',
];

const iso = (time: number): string => new Date(time).toISOString();

/** How a drill speaks of keys: `A`; a value of somebody else's as it stands. */
const lettersOf = ({ keys }: DrillReport): ((key: string) => string) => {
  const known = new Map(keys.map(({ letter, spkiSha256, what }) => [spkiSha256 ?? what, letter]));
  return (key) => known.get(key) ?? key;
};

const valuesOf = ({ keys }: DrillReport): ((values: readonly string[]) => readonly string[]) => {
  const known = new Map(keys.map(({ letter, spkiSha256, what }) => [tlsaOfKey(spkiSha256 ?? what), letter]));
  return (values) => values.map((value) => known.get(value) ?? value).sort();
};

/** The form that `--json` prints. Documented in docs/keys.md. */
export function drillJson(report: DrillReport, notices: readonly string[]): string {
  const [letter, values] = [lettersOf(report), valuesOf(report)];
  const { kind, namespace, name, hosts, wish, now, keys, rows, blocked } = report;
  const steps = rows.map((row) => ({
    at: iso(row.at),
    afterSeconds: (row.at - now) / 1000,
    phase: row.phase,
    what: row.deeds.map((deed) => deedWords(deed, report)),
    tlsa: values(row.tlsa),
    secret: row.secret === undefined ? null : letter(row.secret),
    hostsMayPresent: row.presented.map(letter),
    cached: row.cached.map((set) => ({ tlsa: values(set.values), until: iso(set.until) })),
    daneSendersDefer: row.deferred,
    waits: row.waits.map(({ reason, message, until }) => ({ reason, message, until: until && iso(until) })),
  }));
  const head = { formatVersion: 1, notices, drill: kind, exchanger: { namespace, name, hosts } };
  const whole = { ...head, annotation: wish, now: iso(now), assumptions: drillAssumptions, keys, steps, blocked };
  const text = JSON.stringify(
    whole,
    (_, value: unknown) => (typeof value === 'string' ? withoutSecrets(value) : value),
    2,
  );
  return `${plainJson(text)}\n`;
}

/** UTF-16 units of a line. */
const longestLine = 4096;

export function drillText(report: DrillReport, notices: readonly string[]): string {
  const { namespace, name, hosts, wish, now, keys, rows, blocked } = report;
  const values = valuesOf(report);
  const standing = (row: DrillRow): string => values(row.tlsa).join(' ') || 'none';
  const width = Math.max(4, ...rows.map((row) => standing(row).length));
  const line = (time: string, after: string, phase: string, tlsa: string, secret: string, step: string): string =>
    `${time.padEnd(20)}  ${after.padEnd(16)}  ${phase.padEnd(8)}  ${tlsa.padEnd(width)}  ${secret.padEnd(6)}  ${step}`;
  const lines = [
    ...notices.map((notice) => `note: ${notice}`),
    `MailExchanger ${namespace}/${name} (${hosts.join(', ')}): if mailseal.dev/rotate-now were "${wish}"`,
    ...drillAssumptions.map((words) => `assumed: ${words}`),
    ...keys.map(
      ({ letter, what, spkiSha256 }) => `${letter}: ${what}${spkiSha256 === undefined ? '' : `, ${spkiSha256}`}`,
    ),
    '',
    ...(rows.length === 0 ? [] : [line('UTC', 'after', 'phase', 'TLSA', 'Secret', 'step')]),
    ...rows.flatMap((row) => {
      const [first = '', ...more] = row.deeds.map((deed) => deedWords(deed, report));
      const secret = row.secret === undefined ? 'none' : lettersOf(report)(row.secret);
      const time = iso(row.at).replace(/\.\d+Z$/u, 'Z');
      return [
        line(time, `+${duration(row.at - now)}`, row.phase, standing(row), secret, first),
        ...more.map((words) => line('', '', '', '', '', words)),
        ...[sendersWords(row, report), ...row.waits.map(({ message }) => `waits: ${message}`)].map((words) =>
          line('', '', '', '', '', `  ${words}`),
        ),
      ];
    }),
    '',
    ...blocked.map((why) => `blocked: ${why}`),
    lastLine(report),
  ];
  return `${lines.map((text) => plainText(text, longestLine).trimEnd()).join('\n')}\n`;
}

function lastLine({ kind, rows, now, blocked }: DrillReport): string {
  if (blocked.length > 0) return 'Drill: it would not come to its end as things stand. Nothing was written.';
  const end = rows.at(-1)?.at ?? now;
  const swap = rows.find(({ deeds }) => deeds.some(({ is }) => is === 'Deliver'))?.at ?? now;
  const revoked = kind === 'compromise' ? ', and certificates of the old one are revoked' : '';
  return `Drill: the hosts get the next key after ${duration(swap - now)}, all is done after ${duration(end - now)}${revoked}. Nothing was written.`;
}

function deedWords(deed: Deed, report: DrillReport): string {
  const letter = lettersOf(report);
  switch (deed.is) {
    case 'Phase':
      return phaseWords[deed.phase];
    case 'Certificate':
      return `a certificate for key ${letter(deed.key)} is issued`;
    case 'Spare':
      return `key ${letter(deed.key)} is made and stored`;
    case 'Publish':
      return deed.values.length === 0
        ? 'the TLSA records are removed'
        : `TLSA of ${valuesOf(report)(deed.values).join(' and ')} is published`;
    case 'Deliver':
      return `the Secret is given key ${letter(deed.key)}, and the hosts take it`;
    case 'Revoke':
      return `the certificates that a CA gave key ${letter(deed.key)} are revoked: keyCompromise`;
  }
}

const phaseWords: Readonly<Record<DrillRow['phase'], string>> = {
  Steady: 'the rotation is over',
  Armed: 'the next key has stood long enough to be used',
  Swapping: 'the hosts are moved to the next key',
  Retiring: 'every host presents the next key; the old one is on its way out',
};

/** What a sender that goes by DANE meets, whatever it cached. */
function sendersWords(row: DrillRow, report: DrillReport): string {
  const values = valuesOf(report);
  const cached = row.cached.map((set) => `${values(set.values).join(' ')} until ${iso(set.until)}`);
  if (row.tlsa.length === 0 && cached.length === 0) return 'DANE senders: no TLSA record, they do as all others do';
  const met = row.presented.map(lettersOf(report)).join(' or ');
  const old = cached.length === 0 ? '' : `; caches may hold ${cached.join(', ')}`;
  return row.deferred
    ? `DANE senders: mail is deferred, hosts present ${met}${old}`
    : `DANE senders: every answer matches, hosts present ${met}${old}`;
}

/** `2 d 3 h`, `1 h 5 min`, `0 s`: the two largest units. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts = (
    [
      [Math.floor(seconds / 86_400), 'd'],
      [Math.floor(seconds / 3600) % 24, 'h'],
      [Math.floor(seconds / 60) % 60, 'min'],
      [seconds % 60, 's'],
    ] as const
  ).filter(([count]) => count > 0);
  return parts.length === 0
    ? '0 s'
    : parts
        .slice(0, 2)
        .map((part) => part.join(' '))
        .join(' ');
}
